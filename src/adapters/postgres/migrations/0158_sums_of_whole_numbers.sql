-- A sum of whole numbers whose state is one of them; that of the server's own sum is several times as large and slow.
CREATE AGGREGATE exact_sum (bigint) (SFUNC = int8pl, STYPE = bigint);
-- The same of decimals, for amounts that are too large or have too many decimals to be whole numbers of something.
CREATE AGGREGATE exact_sum (numeric) (SFUNC = numeric_add, STYPE = numeric);

-- Of an entry that is placed: 2 for the first of its order, 1 for the first of another partner in it, else 0. So rollups
-- count orders without sorting them. Rows of older versions have none.
ALTER TABLE sales_entries ADD COLUMN opens smallint;
