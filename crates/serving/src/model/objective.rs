//! From the sum of the leaves to what the model predicts, in the library's own arithmetic.
//!
//! `exp` and its like are the platform's (libm of the C library), since that is what the libraries
//! call: on one machine the bits are theirs. Another C library may round a last bit differently.

/// What stands between the raw score and the prediction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    Identity,
    /// `1 / (1 + exp(-factor · raw))`
    Sigmoid {
        factor: f64,
    },
    Exp,
    /// `log(1 + exp(raw))`
    LogOnePlusExp,
    /// `raw · |raw|`: the target was the signed root.
    SignedSquare,
    /// XGBoost's, in 32 bits.
    SigmoidSingle,
    /// XGBoost's, in 32 bits.
    ExpSingle,
    /// 1 above zero, otherwise 0.
    Step,
}

/// XGBoost's guard against dividing by zero; it vanishes in a 32-bit sum and is kept for its form.
const EPSILON_SINGLE: f32 = 1e-16;
/// Where XGBoost keeps `exp` from overflowing.
const EXPONENT_MAX_SINGLE: f32 = 88.7;

impl Link {
    pub fn apply(self, raw: f64) -> f64 {
        let single = raw as f32;
        match self {
            Link::Identity => raw,
            Link::Sigmoid { factor } => 1.0 / (1.0 + (-factor * raw).exp()),
            Link::Exp => raw.exp(),
            Link::LogOnePlusExp => raw.exp().ln_1p(),
            Link::SignedSquare => sign(raw) * raw * raw,
            Link::SigmoidSingle => {
                let exponent = (-single).min(EXPONENT_MAX_SINGLE);
                f64::from(1.0 / (exponent.exp() + 1.0 + EPSILON_SINGLE))
            }
            Link::ExpSingle => f64::from(single.exp()),
            Link::Step => f64::from(u8::from(raw > 0.0)),
        }
    }
}

fn sign(x: f64) -> f64 {
    f64::from(i8::from(x > 0.0) - i8::from(x < 0.0))
}

/// The objective that a model was trained for.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// As the file names it; empty where the file names none.
    pub name: String,
    pub link: Link,
}

impl Objective {
    /// Whether what the model predicts is a probability.
    pub fn is_probability(&self) -> bool {
        match self.link {
            Link::Sigmoid { .. } | Link::SigmoidSingle => true,
            Link::Identity
            | Link::Exp
            | Link::LogOnePlusExp
            | Link::SignedSquare
            | Link::ExpSingle
            | Link::Step => false,
        }
    }
}
