-- In a transaction: no
-- An index by price nearly doubled what a first load costs: prices come in no order, so each new row
-- went to another page of it. A list by price is sorted when it is asked for.
DROP INDEX CONCURRENTLY IF EXISTS products_by_partner_and_price;
