//! LIKE: `%` for any run of characters, `_` for one, a backslash before either for itself; case does not matter.

/// A prepared pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Run,
    One,
    Char(char),
}

impl Pattern {
    /// Prepares a pattern as the lexer leaves it.
    pub fn new(text: &str) -> Pattern {
        let mut parts = Vec::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(ch) = chars.next() {
            match ch {
                '%' if parts.last() == Some(&Part::Run) => {}
                '%' => parts.push(Part::Run),
                '_' => parts.push(Part::One),
                '\\' => parts.extend(chars.next().unwrap_or('\\').to_lowercase().map(Part::Char)),
                other => parts.extend(other.to_lowercase().map(Part::Char)),
            }
        }
        Pattern(parts)
    }

    /// Number of its parts, for estimates of work.
    pub fn weight(&self) -> usize {
        self.0.len()
    }

    /// Whether the whole text fits.
    pub fn matches(&self, text: &str) -> bool {
        if text.is_ascii() {
            let text = text.as_bytes();
            return self.fits(text.len(), |at| char::from(text[at].to_ascii_lowercase()));
        }
        let text: Vec<char> = text.chars().flat_map(char::to_lowercase).collect();
        self.fits(text.len(), |at| text[at])
    }

    /// Linear but for backtracking to the last run, so no pattern can blow up.
    fn fits(&self, length: usize, char_at: impl Fn(usize) -> char) -> bool {
        let (mut at, mut part) = (0, 0);
        let mut last_run: Option<(usize, usize)> = None;
        while at < length {
            match self.0.get(part) {
                Some(Part::Run) => {
                    last_run = Some((part, at));
                    part += 1;
                }
                Some(Part::One) => (at, part) = (at + 1, part + 1),
                Some(Part::Char(ch)) if *ch == char_at(at) => (at, part) = (at + 1, part + 1),
                _ => match last_run {
                    Some((run, from)) => {
                        last_run = Some((run, from + 1));
                        (at, part) = (from + 1, run + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[part..].iter().all(|p| *p == Part::Run)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn wildcards_and_escapes() {
        let cases = [
            ("%robot%", "Northwind Robotics", true),
            ("north_ind%", "NORTHWIND", true),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("a%b%c", "aXbXbc", true),
            ("a%b%c", "aXbXb", false),
            ("stra%e", "STRASSE", true),
            ("%ÜBER%", "Gegenüber", true),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
        ];
        for (pattern, text, fits) in cases {
            assert_eq!(Pattern::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }
}
