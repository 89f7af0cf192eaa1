use crate::Column;
use crate::expr::Expr;

/// Evaluates `expr` over `rows` rows. Each column has `rows` cells; so has the result.
pub fn eval(expr: &Expr, columns: &[&Column], rows: usize) -> Column {
    let _ = (expr, columns, rows);
    Column::words(Vec::new())
}
