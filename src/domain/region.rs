//! Countries and their states by the codes of ISO 3166, from the codes and names that people and CRMs use for them.

use rust_iso3166::iso3166_2::{self, Subdivision};
use rust_iso3166::{ALL, CountryCode};

/// Names in common use that ISO 3166-1 has in another form. The first of a code is the one that we write.
const IN_USE: &[(&str, &str)] = &[
    ("US", "United States"),
    ("US", "USA"),
    ("US", "U.S.A."),
    ("US", "U.S."),
    ("GB", "United Kingdom"),
    ("GB", "UK"),
    ("GB", "U.K."),
    ("GB", "Great Britain"),
    ("KR", "South Korea"),
    ("KP", "North Korea"),
    ("RU", "Russia"),
    ("VN", "Vietnam"),
    ("CZ", "Czech Republic"),
    ("TR", "Turkey"),
    ("NL", "Netherlands"),
    ("TW", "Taiwan"),
    ("BO", "Bolivia"),
    ("VE", "Venezuela"),
    ("IR", "Iran"),
    ("SY", "Syria"),
    ("TZ", "Tanzania"),
    ("MD", "Moldova"),
    ("LA", "Laos"),
    ("MK", "Macedonia"),
    ("CI", "Ivory Coast"),
    ("CV", "Cape Verde"),
    ("SZ", "Swaziland"),
    ("VA", "Vatican City"),
    ("PS", "Palestine"),
    ("BN", "Brunei"),
];

/// The alpha-2 code of a country named by code (alpha-2 or alpha-3) or name; none when it is not known.
pub fn country(text: &str) -> Option<&'static str> {
    found(text).map(|country| country.alpha2)
}

fn found(text: &str) -> Option<&'static CountryCode> {
    let text = text.trim();
    let by_code = |country: &&CountryCode| {
        country.alpha2.eq_ignore_ascii_case(text) || country.alpha3.eq_ignore_ascii_case(text)
    };
    if let Some(country) = ALL.iter().find(by_code) {
        return Some(country);
    }
    let in_use = IN_USE.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
    if let Some((code, _)) = in_use {
        return ALL.iter().find(|country| country.alpha2 == *code);
    }
    let words = words(text);
    ALL.iter()
        .find(|country| !words.is_empty() && self::words(country.name) == words)
}

/// The name that we write for an alpha-2 code.
pub fn country_name(code: &str) -> Option<&'static str> {
    let country = ALL.iter().find(|country| country.alpha2 == code)?;
    let in_use = IN_USE.iter().find(|(of, _)| *of == code);
    Some(in_use.map_or(country.name, |(_, name)| *name))
}

/// The code of a state (`US-OR`), named by that code or, within a country, by its short code or name.
pub fn state(country_code: Option<&str>, text: &str) -> Option<&'static str> {
    let text = text.trim();
    if let Some(whole) = iso3166_2::from_code(&text.to_ascii_uppercase()) {
        return Some(whole.code);
    }
    let country = country_code.and_then(found)?;
    let states: &'static [Subdivision] = iso3166_2::SUBDIVISION_COUNTRY_MAP.get(country.alpha2)?;
    let short = states
        .iter()
        .find(|state| short(state.code).eq_ignore_ascii_case(text));
    let named = || {
        let words = words(text);
        states
            .iter()
            .find(|state| !words.is_empty() && self::words(state.name) == words)
    };
    short.or_else(named).map(|state| state.code)
}

/// What follows the country in a state's code: `OR` of `US-OR`. CRMs keep states so.
pub fn short(code: &str) -> &str {
    code.split_once('-').map_or(code, |(_, short)| short)
}

/// The name of a state by its whole code.
pub fn state_name(code: &str) -> Option<&'static str> {
    iso3166_2::from_code(code).map(|state| state.name)
}

/// The words of a name without order, case and punctuation: "Korea, Republic of" is "Korea (the Republic of)".
fn words(name: &str) -> Vec<String> {
    let letters = |letter: char| !letter.is_alphanumeric();
    let words = name.split(letters).filter(|word| !word.is_empty());
    let mut words: Vec<String> = words
        .map(str::to_lowercase)
        .filter(|word| word != "the")
        .collect();
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_found_by_its_codes_and_the_names_in_use() {
        for text in [
            "US",
            "us",
            "USA",
            "United States",
            "United States of America",
            " the united states of america ",
        ] {
            assert_eq!(country(text), Some("US"), "{text}");
        }
        assert_eq!(country("Korea, Republic of"), Some("KR"));
        assert_eq!(country("Korea, Democratic People's Republic of"), Some("KP"));
        assert_eq!(country("Nowhere"), None);
        assert_eq!(country(""), None);
    }

    #[test]
    fn every_code_comes_back_from_its_name() {
        for known in ALL {
            let name = country_name(known.alpha2).expect("a name");
            assert_eq!(country(name), Some(known.alpha2), "{name}");
        }
    }

    #[test]
    fn a_state_is_found_within_its_country_only() {
        assert_eq!(state(Some("US"), "Oregon"), Some("US-OR"));
        assert_eq!(state(Some("USA"), "or"), Some("US-OR"));
        assert_eq!(state(None, "us-or"), Some("US-OR"));
        assert_eq!(state(None, "Oregon"), None);
        assert_eq!(state(Some("DE"), "Sachsen"), Some("DE-SN"));
        assert_eq!(short("US-OR"), "OR");
        assert_eq!(state_name("CA-ON"), Some("Ontario"));
    }
}
