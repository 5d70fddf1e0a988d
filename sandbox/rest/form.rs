//! In which form a call comes and in which it wants its answer: JSON or XML (REST API Developer Guide, Request Body,
//! Response Body).

use http::{HeaderMap, Method, StatusCode, header};

/// Form of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// JSON.
    #[default]
    Json,
    /// XML.
    Xml,
}

/// The form of a request's body.
///
/// # Errors
/// 415 when it is neither.
pub fn sent(method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<Form, StatusCode> {
    if body.is_empty() || *method == Method::GET || *method == Method::HEAD {
        return Ok(Form::Json);
    }
    let Some(given) = text(headers, header::CONTENT_TYPE) else {
        // Nothing says what it is; only one of both is ever sent without a word.
        return Ok(Form::Json);
    };
    media(given.split(';').next().unwrap_or_default()).ok_or(StatusCode::UNSUPPORTED_MEDIA_TYPE)
}

/// The form that the caller takes: a suffix of the path, else the best of `Accept`; JSON when both are as good.
///
/// # Errors
/// 406 when it takes neither.
pub fn wanted(suffix: Option<Form>, headers: &HeaderMap) -> Result<Form, StatusCode> {
    if let Some(form) = suffix {
        return Ok(form);
    }
    let Some(accepted) = text(headers, header::ACCEPT) else {
        return Ok(Form::Json);
    };
    let mut best: Option<(f32, Form)> = None;
    for range in accepted.split(',') {
        let mut parts = range.split(';');
        let name = parts.next().unwrap_or_default().trim();
        let weight = parts
            .find_map(|p| p.trim().strip_prefix("q=")?.trim().parse().ok())
            .unwrap_or(1.0);
        let form = match name {
            "*/*" | "application/*" => Some(Form::Json),
            name => media(name),
        };
        let better = |(old, of): (f32, Form)| weight > old || weight >= old && of == Form::Xml;
        if let Some(form) = form.filter(|_| weight > 0.0 && best.is_none_or(better)) {
            best = Some((weight, form));
        }
    }
    best.map(|(_, form)| form).ok_or(StatusCode::NOT_ACCEPTABLE)
}

/// A path without `.json` or `.xml` at its end, and the form that this asks for.
pub fn suffix(target: &str) -> (String, Option<Form>) {
    let (path, query) = target
        .split_once('?')
        .map_or((target, None), |(p, q)| (p, Some(q)));
    let cut = [(".json", Form::Json), (".xml", Form::Xml)]
        .into_iter()
        .find_map(|(end, form)| path.strip_suffix(end).map(|path| (path, form)));
    match (cut, query) {
        (None, _) => (target.to_owned(), None),
        (Some((path, form)), None) => (path.to_owned(), Some(form)),
        (Some((path, form)), Some(query)) => (format!("{path}?{query}"), Some(form)),
    }
}

fn media(name: &str) -> Option<Form> {
    match name.trim().to_ascii_lowercase().as_str() {
        "application/json" | "text/json" => Some(Form::Json),
        "application/xml" | "text/xml" => Some(Form::Xml),
        _ => None,
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(value: &str) -> Result<Form, StatusCode> {
        let headers = HeaderMap::from_iter([(header::ACCEPT, value.parse().expect("a header"))]);
        wanted(None, &headers)
    }

    #[test]
    fn the_best_form_is_taken() {
        assert_eq!(wanted(None, &HeaderMap::new()), Ok(Form::Json));
        assert_eq!(wanted(Some(Form::Xml), &HeaderMap::new()), Ok(Form::Xml));
        for (value, form) in [
            ("application/json", Form::Json),
            ("application/xml", Form::Xml),
            ("*/*", Form::Json),
            ("application/xml, application/json", Form::Json),
            ("application/json;q=0.5, application/xml;q=0.9", Form::Xml),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                Form::Xml,
            ),
        ] {
            assert_eq!(accept(value), Ok(form), "{value}");
        }
        assert_eq!(accept("text/csv"), Err(StatusCode::NOT_ACCEPTABLE));
        assert_eq!(accept("application/json;q=0"), Err(StatusCode::NOT_ACCEPTABLE));
    }

    #[test]
    fn suffixes_are_cut_off() {
        assert_eq!(suffix("/a/b.xml?q=1"), ("/a/b?q=1".into(), Some(Form::Xml)));
        assert_eq!(suffix("/a/b?q=1.xml"), ("/a/b?q=1.xml".into(), None));
    }
}
