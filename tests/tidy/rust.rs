//! Rust read just closely enough: what is code, what is text, where a function ends, what is test code.
//!
//! Not a parser. It knows comments (nested), strings (plain, raw, byte, C), characters against lifetimes, and braces.

/// A source file taken apart.
pub struct Source {
    /// The text with comments and the insides of strings and characters turned to blanks; lines stay where they are.
    pub code: String,
    /// String literals with the line on which each begins, 1 is the first.
    pub literals: Vec<(usize, String)>,
}

/// A function, from the line with `fn` to the line with its closing brace.
#[derive(Debug, PartialEq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line with `fn`.
    pub line: usize,
    /// How many lines it takes.
    pub lines: usize,
}

/// Takes a file apart.
pub fn read(text: &str) -> Source {
    let mut reader = Reader {
        text: text.chars().collect(),
        at: 0,
        line: 1,
        code: String::with_capacity(text.len()),
        literals: Vec::new(),
    };
    while reader.at < reader.text.len() {
        reader.step();
    }
    Source {
        code: reader.code,
        literals: reader.literals,
    }
}

struct Reader {
    text: Vec<char>,
    at: usize,
    line: usize,
    code: String,
    literals: Vec<(usize, String)>,
}

impl Reader {
    fn peek(&self, ahead: usize) -> char {
        self.text.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.blank_while(|reader| reader.peek(0) != '\n'),
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(),
            ('\'', _) => self.character(),
            (first, _) if is_word(first) => self.word(),
            _ => self.keep(),
        }
    }

    /// A word, or the prefix of a raw string.
    fn word(&mut self) {
        let start = self.at;
        while is_word(self.peek(0)) {
            self.keep();
        }
        let word: String = self.text[start..self.at].iter().collect();
        let raw = matches!(word.as_str(), "r" | "br" | "cr");
        let mut hashes = 0;
        while raw && self.peek(hashes) == '#' {
            hashes += 1;
        }
        if raw && self.peek(hashes) == '"' {
            self.raw_string(hashes);
        }
    }

    fn string(&mut self) {
        let (line, mut content) = (self.line, String::new());
        self.keep();
        while self.at < self.text.len() && self.peek(0) != '"' {
            if self.peek(0) == '\\' {
                content.push(self.peek(0));
                self.blank();
            }
            content.push(self.peek(0));
            self.blank();
        }
        self.keep();
        self.literals.push((line, content));
    }

    fn raw_string(&mut self, hashes: usize) {
        let (line, mut content) = (self.line, String::new());
        (0..=hashes).for_each(|_| self.keep());
        let ends = |reader: &Reader| (1..=hashes).all(|ahead| reader.peek(ahead) == '#');
        while self.at < self.text.len() && !(self.peek(0) == '"' && ends(self)) {
            content.push(self.peek(0));
            self.blank();
        }
        (0..=hashes).for_each(|_| self.keep());
        self.literals.push((line, content));
    }

    /// `'x'` and `'\n'` are characters, `'x` is a lifetime or a label.
    fn character(&mut self) {
        let is_character = self.peek(1) == '\\' || self.peek(2) == '\'';
        self.keep();
        if !is_character {
            return;
        }
        if self.peek(0) == '\\' {
            self.blank();
        }
        self.blank();
        self.blank_while(|reader| reader.peek(0) != '\'');
        self.keep();
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while self.at < self.text.len() {
            let mark = (self.peek(0), self.peek(1));
            match mark {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => {}
            }
            self.blank();
            if matches!(mark, ('/', '*') | ('*', '/')) {
                self.blank();
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn blank_while(&mut self, goes_on: impl Fn(&Reader) -> bool) {
        while self.at < self.text.len() && goes_on(self) {
            self.blank();
        }
    }

    fn blank(&mut self) {
        let shown = if self.peek(0) == '\n' { '\n' } else { ' ' };
        self.push(shown);
    }

    fn keep(&mut self) {
        self.push(self.peek(0));
    }

    fn push(&mut self, shown: char) {
        if self.at < self.text.len() {
            self.line += usize::from(shown == '\n');
            self.code.push(shown);
            self.at += 1;
        }
    }
}

/// Every function with a body. Functions inside functions count too, on their own and in the outer one.
pub fn functions(code: &str) -> Vec<Function> {
    let words = words(code);
    let named = words.windows(2).filter(|pair| {
        let between = &code[pair[0].0 + pair[0].1.len()..pair[1].0];
        pair[0].1 == "fn" && between.trim().is_empty()
    });
    named
        .filter_map(|pair| {
            let (start, name) = (pair[0].0, pair[1].1);
            let end = body_end(&code[start..])?;
            let line = line_of(code, start);
            Some(Function {
                name: name.to_owned(),
                line,
                lines: line_of(code, start + end) - line + 1,
            })
        })
        .collect()
}

/// Where each line that belongs to test code is: `true` at index `line - 1`.
pub fn test_lines(code: &str) -> Vec<bool> {
    let mut marked = vec![false; code.lines().count()];
    for (start, attribute) in code
        .match_indices("#[cfg(test)]")
        .chain(code.match_indices("#[test]"))
    {
        let after = start + attribute.len();
        let end = after + body_end(&code[after..]).unwrap_or(0);
        let (first, last) = (line_of(code, start), line_of(code, end));
        marked[first - 1..last].fill(true);
    }
    marked
}

/// The line of a byte, 1 is the first.
pub fn line_of(code: &str, byte: usize) -> usize {
    1 + code.as_bytes()[..byte]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
}

/// Where `needle` stands in `code` as whole words: what is before and after it is no part of a name.
pub fn find_words(code: &str, needle: &str) -> Vec<usize> {
    let found = code.match_indices(needle).map(|(at, _)| at);
    let stands_alone = |at: &usize| {
        let before = code[..*at].chars().next_back().unwrap_or(' ');
        let after = code[at + needle.len()..].chars().next().unwrap_or(' ');
        let begins = !is_word(needle.chars().next().unwrap_or(' ')) || !is_word(before);
        let ends = !is_word(needle.chars().next_back().unwrap_or(' ')) || !is_word(after);
        begins && ends
    };
    found.filter(stands_alone).collect()
}

/// Words with their places.
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, letter) in code.char_indices().chain([(code.len(), ' ')]) {
        match (start, is_word(letter)) {
            (None, true) => start = Some(at),
            (Some(begun), false) => {
                found.push((begun, &code[begun..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The byte of the brace that closes the first body after here; nothing when a `;` ends the item before a body.
fn body_end(code: &str) -> Option<usize> {
    let (mut braces, mut others) = (0_i32, 0_i32);
    for (at, letter) in code.char_indices() {
        match letter {
            '(' | '[' => others += 1,
            ')' | ']' => others -= 1,
            ';' if braces == 0 && others == 0 => return None,
            '{' if others == 0 || braces > 0 => braces += 1,
            '}' if braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}
