//! A look at XML before anything reads it: what would make a parser work without end, or hides what it means, is
//! refused by its first characters.

/// How XML that must not be read is dangerous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    /// A document type or another declaration: with them come entities, which can name files and grow without bound.
    Declaration,
    /// Elements within elements beyond the limit.
    Depth,
    /// It ends in the middle of a tag, comment or section.
    Unfinished,
}

/// Checks that elements nest at most `depth` deep, and that there is no `<!…` but comments and CDATA sections.
///
/// Not a parser: it only finds where markup begins and ends (XML 1.0 §2.4, §2.5, §2.7, §3.1). What it takes for well
/// nested may still be refused by the parser; what nests deeper is never let through to it.
pub(super) fn check(text: &str, depth: usize) -> Result<(), Danger> {
    let (mut rest, mut open) = (text, 0_usize);
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        rest = if let Some(comment) = rest.strip_prefix("<!--") {
            after(comment, "-->")?
        } else if let Some(section) = rest.strip_prefix("<![CDATA[") {
            after(section, "]]>")?
        } else if rest.starts_with("<!") {
            return Err(Danger::Declaration);
        } else if let Some(instruction) = rest.strip_prefix("<?") {
            after(instruction, "?>")?
        } else if let Some(end) = rest.strip_prefix("</") {
            open = open.saturating_sub(1);
            after(end, ">")?
        } else {
            let (tag, after) = start_tag(&rest[1..])?;
            open += usize::from(!tag.ends_with('/'));
            after
        };
        if open > depth {
            return Err(Danger::Depth);
        }
    }
    Ok(())
}

fn after<'a>(text: &'a str, mark: &str) -> Result<&'a str, Danger> {
    let (_, after) = text.split_once(mark).ok_or(Danger::Unfinished)?;
    Ok(after)
}

/// The inside of a start tag and what follows it. A `>` between quotes belongs to a value.
fn start_tag(text: &str) -> Result<(&str, &str), Danger> {
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Ok((&text[..at], &text[at + 1..])),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    Err(Danger::Unfinished)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_that_of_the_elements_and_of_nothing_else() {
        let good =
            "<?xml version='1.0'?><!-- <a><a> --><a b='</a>' c=\">\"><![CDATA[<a><a><a>]]><b/><b></b></a>";
        assert_eq!(check(good, 2), Ok(()));
        assert_eq!(check(good, 1), Err(Danger::Depth));
        assert_eq!(check(&"<a>".repeat(33), 32), Err(Danger::Depth));
        // A closed element does not count for ever.
        assert_eq!(check(&format!("<a>{}</a>", "<b></b>".repeat(1_000)), 2), Ok(()));
    }

    #[test]
    fn declarations_are_refused_wherever_they_stand() {
        for text in [
            "<!DOCTYPE a>",
            "<a><!ENTITY b 'c'></a>",
            " \n<!doctype a [",
            "<a/><!ELEMENT a ANY>",
        ] {
            assert_eq!(check(text, 32), Err(Danger::Declaration), "{text}");
        }
    }

    #[test]
    fn what_does_not_end_is_refused() {
        for text in ["<a", "<a b='>", "<!-- ", "<![CDATA[ ]]", "<?xml ", "</a"] {
            assert_eq!(check(text, 32), Err(Danger::Unfinished), "{text}");
        }
    }
}
