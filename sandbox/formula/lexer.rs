//! Words and signs of a formula.

use rust_decimal::Decimal;

/// One word or sign.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// A number.
    Number(Decimal),
    /// A quoted text.
    Text(String),
    /// A name: function, field or path.
    Name(String),
    /// A sign.
    Sign(&'static str),
}

/// Longer signs come first, so that `<=` is not read as `<`.
const SIGNS: [&str; 19] = [
    "<=", ">=", "<>", "!=", "==", "&&", "||", "(", ")", ",", "+", "-", "*", "/", "^", "&", "=", "<", ">",
];

/// The tokens of a formula.
///
/// # Errors
/// Names the first character that begins no token.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if let Some(comment) = rest.strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or("a comment has no end")?;
            (None, after)
        } else if first == '"' || first == '\'' {
            let (text, after) = quoted(&rest[1..], first)?;
            (Some(Token::Text(text)), after)
        } else if first.is_ascii_digit() || first == '.' {
            let (number, after) = number(rest)?;
            (Some(Token::Number(number)), after)
        } else if first.is_ascii_alphabetic() || first == '$' {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$')))
                .unwrap_or(rest.len());
            (Some(Token::Name(rest[..end].to_owned())), &rest[end..])
        } else if let Some(sign) = SIGNS.iter().find(|s| rest.starts_with(**s)) {
            (Some(Token::Sign(sign)), &rest[sign.len()..])
        } else if first == '!' {
            (Some(Token::Sign("!")), &rest[1..])
        } else {
            return Err(format!("unexpected '{first}'"));
        };
        out.extend(token);
        rest = after.trim_start();
    }
    Ok(out)
}

/// A text up to its closing quote; a backslash takes the next character as it is, save `\n`.
fn quoted(rest: &str, quote: char) -> Result<(String, &str), String> {
    let mut text = String::new();
    let mut chars = rest.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return Ok((text, &rest[at + c.len_utf8()..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err("a text has no closing quote".into())
}

fn number(rest: &str) -> Result<(Decimal, &str), String> {
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let number = rest[..end].parse();
    number
        .map(|n| (n, &rest[end..]))
        .map_err(|_| format!("'{}' is no number", &rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_signs_and_texts() {
        let found = tokens("IF(A.B__c <= 1.5, \"x\\\"y\", 'z') /* end */").expect("well formed");
        assert_eq!(
            found,
            [
                Token::Name("IF".into()),
                Token::Sign("("),
                Token::Name("A.B__c".into()),
                Token::Sign("<="),
                Token::Number("1.5".parse().expect("a number")),
                Token::Sign(","),
                Token::Text("x\"y".into()),
                Token::Sign(","),
                Token::Text("z".into()),
                Token::Sign(")"),
            ]
        );
        for bad in ["\"open", "1.2.3", "a # b", "/* open", "'\\"] {
            assert!(tokens(bad).is_err(), "{bad}");
        }
    }
}
