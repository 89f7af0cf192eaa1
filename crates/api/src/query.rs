//! What stands behind the `?` of a path.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::route::shown;

#[derive(Debug, Default)]
pub struct Query {
    values: BTreeMap<String, String>,
}

impl Query {
    /// # Errors
    /// For a parameter that is not known here, or given twice: a misspelt one must not be ignored.
    pub fn of(text: &str, known: &[&str]) -> Result<Query, ApiError> {
        let mut values = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            if !known.contains(&&*name) {
                let known = known.join(", ");
                let known = if known.is_empty() { "none".to_owned() } else { known };
                let name = shown(&name);
                let what = format!("unknown parameter `{name}`; there are: {known}");
                return Err(ApiError::BadRequest(what.into()));
            }
            if values.insert(name.to_string(), value.into_owned()).is_some() {
                let what = format!("the parameter `{}` is given twice", shown(&name));
                return Err(ApiError::BadRequest(what.into()));
            }
        }
        Ok(Query { values })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// # Errors
    /// When it is there and no whole number.
    pub fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |text: &str| {
            text.parse().map_err(|_| {
                ApiError::BadRequest(format!("`{name}` is `{}`, no number", shown(text)).into())
            })
        };
        self.get(name).map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parameters_are_taken_and_each_once() {
        let query = Query::of("at=2026-01-01T00%3A00%3A00Z", &["at"]).unwrap();
        assert_eq!(query.get("at"), Some("2026-01-01T00:00:00Z"));
        assert!(Query::of("", &[]).unwrap().get("at").is_none());
        assert!(Query::of("att=1", &["at"]).is_err());
        assert!(Query::of("at=1&at=2", &["at"]).is_err());
        assert_eq!(Query::of("n=7", &["n"]).unwrap().number("n").unwrap(), Some(7));
        assert!(Query::of("n=x", &["n"]).unwrap().number("n").is_err());
    }
}
