//! Search words: `"assembly line" AND (robot* OR cell) AND NOT pilot` (SOQL and SOSL Reference, FIND {SearchQuery}).

use crate::org::ApiError;
use crate::soql::fault::syntax_as;

/// Deepest nesting of parentheses; only there to keep the stack bounded.
const DEPTH_LIMIT: usize = 40;
/// Beyond this a search finds nothing.
const LENGTH_LIMIT: usize = 10_000;
/// Characters that have to be escaped. Others of the reference's list (hyphen, apostrophe, plus) are taken as they are.
const RESERVED: &str = "&|!{[]^~:";

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Words {
    /// Both.
    And(Box<Words>, Box<Words>),
    /// Either.
    Or(Box<Words>, Box<Words>),
    /// Not this.
    Not(Box<Words>),
    /// Words in this order, each possibly with `*` and `?`.
    Phrase(Vec<String>),
    /// Nothing can be found.
    Nothing,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Open,
    Close,
}

/// Parses the words between the braces; `text` and `at` are the whole search and where they begin, for error texts.
///
/// # Errors
/// MALFORMED_SEARCH for characters that need an escape, open quotes and parentheses, and too short words.
pub fn parse(text: &str, at: usize, words: &str) -> Result<Words, ApiError> {
    if words.chars().count() > LENGTH_LIMIT {
        return Ok(Words::Nothing);
    }
    let tokens = tokens(text, at, words)?;
    let short = |t: &Token| match t {
        Token::Word(word) | Token::Quoted(word) => word.chars().filter(|c| c.is_alphanumeric()).count() < 2,
        Token::Open | Token::Close => true,
    };
    if tokens.iter().all(short) {
        let message = format!("search term must be longer than one character: {}", words.trim());
        return Err(ApiError::bad("MALFORMED_SEARCH", message));
    }
    let mut parser = Parser {
        tokens,
        next: 0,
        depth: 0,
    };
    let parsed = parser.either()?;
    match parser.peek() {
        None => Ok(parsed),
        Some(_) => Err(unexpected()),
    }
}

fn unexpected() -> ApiError {
    ApiError::bad("MALFORMED_SEARCH", "unexpected token in the search term")
}

fn tokens(text: &str, at: usize, words: &str) -> Result<Vec<Token>, ApiError> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut chars = words.char_indices();
    while let Some((offset, ch)) = chars.next() {
        let ends = ch.is_whitespace() || matches!(ch, '(' | ')' | '"');
        if ends && !word.is_empty() {
            out.push(Token::Word(std::mem::take(&mut word)));
        }
        match ch {
            '(' => out.push(Token::Open),
            ')' => out.push(Token::Close),
            '"' => out.push(Token::Quoted(quoted(&mut chars)?)),
            '\\' => word.extend(chars.next().map(|(_, c)| literal(c))),
            c if c.is_whitespace() => {}
            c if RESERVED.contains(c) => {
                let place = at + offset;
                let reason = format!("line 1:{place} mismatched character '{c}' expecting '}}'");
                return Err(syntax_as("MALFORMED_SEARCH", text, place, &reason));
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        out.push(Token::Word(word));
    }
    Ok(out)
}

/// An escaped wildcard means itself; punctuation separates words in any case.
fn literal(ch: char) -> char {
    if matches!(ch, '*' | '?') { ' ' } else { ch }
}

fn quoted(chars: &mut std::str::CharIndices<'_>) -> Result<String, ApiError> {
    let mut phrase = String::new();
    while let Some((_, ch)) = chars.next() {
        match ch {
            '"' => return Ok(phrase),
            '\\' => phrase.extend(chars.next().map(|(_, c)| literal(c))),
            c => phrase.push(c),
        }
    }
    Err(ApiError::bad(
        "MALFORMED_SEARCH",
        "No closing quote found in the search term",
    ))
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn eat_operator(&mut self, operator: &str) -> bool {
        let here = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(operator));
        self.next += usize::from(here);
        here
    }

    fn either(&mut self) -> Result<Words, ApiError> {
        let mut left = self.both()?;
        while self.eat_operator("OR") {
            left = Words::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    /// Words beside each other mean the same as AND.
    fn both(&mut self) -> Result<Words, ApiError> {
        let mut left = self.one()?;
        loop {
            let joined = self.eat_operator("AND");
            let at_or = matches!(self.peek(), Some(Token::Word(w)) if w.eq_ignore_ascii_case("OR"));
            let more = !at_or && !matches!(self.peek(), None | Some(Token::Close));
            if !more {
                return if joined { Err(unexpected()) } else { Ok(left) };
            }
            let right = if self.eat_operator("NOT") {
                Words::Not(Box::new(self.one()?))
            } else {
                self.one()?
            };
            left = Words::And(Box::new(left), Box::new(right));
        }
    }

    fn one(&mut self) -> Result<Words, ApiError> {
        let token = self.peek().cloned().ok_or_else(unexpected)?;
        self.next += 1;
        match token {
            Token::Word(w) if ["AND", "OR"].iter().any(|o| w.eq_ignore_ascii_case(o)) => Err(unexpected()),
            Token::Word(text) | Token::Quoted(text) => Ok(Words::Phrase(split(&text, true))),
            Token::Close => Err(unexpected()),
            Token::Open => {
                self.depth += 1;
                if self.depth > DEPTH_LIMIT {
                    return Err(unexpected());
                }
                let inner = self.either()?;
                self.depth -= 1;
                match self.peek() {
                    Some(Token::Close) => self.next += 1,
                    _ => return Err(unexpected()),
                }
                Ok(inner)
            }
        }
    }
}

/// The words of a text in lower case: runs of letters and digits, in a search also of wildcards.
pub fn split(text: &str, wildcards: bool) -> Vec<String> {
    let belongs = |c: char| c.is_alphanumeric() || wildcards && matches!(c, '*' | '?');
    text.split(|c| !belongs(c))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

impl Words {
    /// How many phrases are looked for.
    pub fn count(&self) -> usize {
        match self {
            Words::And(a, b) | Words::Or(a, b) => a.count() + b.count(),
            Words::Not(inner) => inner.count(),
            Words::Phrase(_) | Words::Nothing => 1,
        }
    }

    /// Whether texts that were split into words hold what is looked for.
    pub fn found(&self, texts: &[Vec<String>]) -> bool {
        match self {
            Words::And(a, b) => a.found(texts) && b.found(texts),
            Words::Or(a, b) => a.found(texts) || b.found(texts),
            Words::Not(inner) => !inner.found(texts),
            Words::Phrase(phrase) => texts.iter().any(|text| holds(text, phrase)),
            Words::Nothing => false,
        }
    }
}

fn holds(text: &[String], phrase: &[String]) -> bool {
    let fits = |window: &[String]| window.iter().zip(phrase).all(|(word, wanted)| like(word, wanted));
    !phrase.is_empty() && text.windows(phrase.len()).any(fits)
}

/// `*` stands for any characters, `?` for one.
fn like(word: &str, wanted: &str) -> bool {
    if !wanted.contains(['*', '?']) {
        return word == wanted;
    }
    let (word, wanted): (Vec<char>, Vec<char>) = (word.chars().collect(), wanted.chars().collect());
    let (mut at, mut part) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while at < word.len() {
        match wanted.get(part) {
            Some('*') => {
                star = Some((part, at));
                part += 1;
            }
            Some(c) if *c == '?' || *c == word[at] => (at, part) = (at + 1, part + 1),
            _ => match star {
                Some((back, from)) => {
                    star = Some((back, from + 1));
                    (at, part) = (from + 1, back + 1);
                }
                None => return false,
            },
        }
    }
    wanted[part..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(words: &str, text: &str) -> bool {
        let whole = format!("FIND {{{words}}}");
        let parsed = parse(&whole, 6, words).expect("search words");
        parsed.found(&[split(text, false)])
    }

    #[test]
    fn operators_phrases_and_wildcards() {
        let text = "Northwind Robotics – Assembly line 4";
        let cases = [
            ("northwind", true),
            ("line northwind", true),
            ("\"assembly line\"", true),
            ("\"line assembly\"", false),
            ("robot*", true),
            ("rob?tics", true),
            ("robo", false),
            ("nothing OR line", true),
            ("line AND NOT northwind", false),
            ("line AND (nothing OR robotics)", true),
            ("nothing OR line AND robotics", true),
            ("assembly\\-line", true),
        ];
        for (words, found) in cases {
            assert_eq!(finds(words, text), found, "{words}");
        }
    }

    #[test]
    fn words_that_are_refused() {
        for words in [
            "x", "", "(line", "line)", "\"line", "line OR", "AND line", "a|bcd", "line AND", "()",
        ] {
            let whole = format!("FIND {{{words}}}");
            let refusal = parse(&whole, 6, words).expect_err(words);
            assert_eq!(refusal.error_code, "MALFORMED_SEARCH", "{words}");
        }
        let deep = format!("{}line{}", "(".repeat(9_000 / 2), ")".repeat(9_000 / 2));
        assert!(parse(&deep, 0, &deep).is_err());
    }
}
