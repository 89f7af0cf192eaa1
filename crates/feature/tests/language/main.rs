//! The language from outside: texts in, plans and diagnostics out.
