-- Which of the platform's own files a feed is, if it is one: an export or a reject report. Such a file
-- shows nothing of the form of its source's own files, so later ones aren't compared with it.
ALTER TABLE feeds ADD COLUMN returned text;
