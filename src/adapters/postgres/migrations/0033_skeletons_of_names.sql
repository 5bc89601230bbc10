-- What the name of a partner looks like, so that no other is taken for it. NULL until a version that
-- knows this column writes the row.
ALTER TABLE partners ADD COLUMN name_skeletons text[] COLLATE "C";
