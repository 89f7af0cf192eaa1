use millrace_event::expr::{Binary, Clock, Expr, Kind, Unary};

/// An expression in the language, columns named by `column`. Conversions that the language makes by
/// itself are left out.
pub(super) fn expr_to_text(expr: &Expr, column: &dyn Fn(usize) -> String) -> String {
    let of = |e: &Expr| expr_to_text(e, column);
    let inner = |e: &Expr| match e.kind {
        Kind::Binary(Binary::StartsWith | Binary::Contains, ..) => of(e),
        Kind::Binary(..) | Kind::In(..) | Kind::If(..) => format!("({})", of(e)),
        _ => of(e),
    };
    let list = |all: &[Expr]| all.iter().map(of).collect::<Vec<String>>().join(", ");
    match &expr.kind {
        Kind::Column(at) => column(*at),
        Kind::Literal(value) => literal_text(value),
        Kind::Unary(operator, a) => unary_text(operator, expr, a, &of(a), &inner(a)),
        Kind::Binary(Binary::StartsWith, a, b) => format!("starts_with({}, {})", of(a), of(b)),
        Kind::Binary(Binary::Contains, a, b) => format!("contains({}, {})", of(a), of(b)),
        Kind::Binary(operator, a, b) => {
            format!("{} {} {}", inner(a), sign(*operator), inner(b))
        }
        Kind::In(a, others) => format!("{} in [{}]", inner(a), list(others)),
        Kind::If(c, a, b) => format!("if {} then {} else {}", of(c), of(a), of(b)),
        Kind::Coalesce(all) => format!("coalesce({})", list(all)),
        Kind::Least(all) => format!("least({})", list(all)),
        Kind::Greatest(all) => format!("greatest({})", list(all)),
    }
}

fn unary_text(operator: &Unary, expr: &Expr, of: &Expr, a: &str, inner: &str) -> String {
    use millrace_event::Type;
    match operator {
        Unary::Negate => format!("-{inner}"),
        Unary::Not => format!("not {inner}"),
        Unary::IsNull => format!("{inner} is null"),
        Unary::Convert => match (&of.ty, &expr.ty) {
            (Type::Int, Type::Float | Type::Decimal(_)) => a.to_owned(),
            (_, Type::Float) => format!("float({a})"),
            (_, Type::Int) => format!("int({a})"),
            (_, Type::Decimal(digits)) => format!("decimal({a}, {digits})"),
            (_, _) => a.to_owned(),
        },
        Unary::Clock(clock, zone) => {
            let name = match clock {
                Clock::Hour => "hour",
                Clock::Weekday => "weekday",
                Clock::Day => "day",
            };
            format!("{name}({a}, \"{zone}\")")
        }
        Unary::Abs => format!("abs({a})"),
        Unary::Floor => format!("floor({a})"),
        Unary::Ceil => format!("ceil({a})"),
        Unary::Round => format!("round({a})"),
        Unary::Sqrt => format!("sqrt({a})"),
        Unary::Ln => format!("ln({a})"),
        Unary::Exp => format!("exp({a})"),
        Unary::Lower => format!("lower({a})"),
        Unary::Upper => format!("upper({a})"),
        Unary::Length => format!("length({a})"),
    }
}

fn sign(operator: Binary) -> &'static str {
    match operator {
        Binary::Add => "+",
        Binary::Subtract => "-",
        Binary::Multiply => "*",
        Binary::Divide => "/",
        Binary::Remainder => "%",
        Binary::Equal => "=",
        Binary::NotEqual => "!=",
        Binary::Less => "<",
        Binary::LessOrEqual => "<=",
        Binary::Greater => ">",
        Binary::GreaterOrEqual => ">=",
        Binary::And => "and",
        Binary::Or => "or",
        Binary::StartsWith => "starts_with",
        Binary::Contains => "contains",
    }
}

pub(super) fn literal_text(value: &millrace_event::Value) -> String {
    use millrace_event::Value;
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Decimal { mantissa, scale } => decimal_text(*mantissa, *scale),
        Value::Text(text) => format!("{text:?}"),
        Value::Timestamp(at) => format!("\"{at}\""),
        Value::Duration(d) => d.to_string(),
        Value::List(all) => {
            format!("[{}]", all.iter().map(literal_text).collect::<Vec<String>>().join(", "))
        }
        Value::Map(_) => "{…}".to_owned(),
    }
}

fn decimal_text(mantissa: i64, scale: u8) -> String {
    let digits = format!("{:0>1$}", mantissa.unsigned_abs(), usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let point = if scale == 0 { "" } else { "." };
    format!("{}{whole}{point}{fraction}", if mantissa < 0 { "-" } else { "" })
}
