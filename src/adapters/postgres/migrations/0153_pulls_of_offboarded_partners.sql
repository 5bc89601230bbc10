-- Nothing is fetched from partners that were offboarded before this ended their pulls.
DELETE FROM pulls p
USING partners o
WHERE o.partner_id = p.partner_id AND o.status = 'offboarded';
