-- What a thing was is worked out where the difference is: these functions were planned for any institution once they had been
-- called some times, and then locked the tables of all.
drop function warehouse.output_document(text, text);
drop function warehouse.author_document(text, text);
drop function warehouse.department_document(text, text);
