//! The checks themselves, tried on small texts: each must find what it is for, and nothing else.

use crate::walls::Dependency;
use crate::{claims, leftovers, names, pages, places, rust, sizes, walls};

const TRICKY: &str = r####"
fn one<'a>(text: &'a str) -> char { // a brace { in a comment
    let _ = "}} \" }"; /* nested /* } */ } */
    let _ = r#"raw " } "#; let _ = b'}'; let _ = '\''; let _ = '{';
    'outer: loop { break 'outer; }
    '}'
}
trait Two { fn without_body(&self); fn with(&self) { inner(|x| { x }) } }
type Pointer = fn(usize) -> usize;
fn three() -> [u8; 2]
where
    u8: Copy,
{
    [1, 2]
}
"####;

#[test]
fn functions_end_where_they_end() {
    let found = rust::functions(&rust::read(TRICKY).code);
    let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
    assert_eq!(found, [("one", 2, 6), ("with", 8, 1), ("three", 10, 6)]);
}

#[test]
fn literals_are_found_with_their_lines() {
    let source = rust::read(TRICKY);
    assert_eq!(
        source.literals,
        [(3, "}} \\\" }".to_owned()), (4, "raw \" } ".to_owned())]
    );
    assert_eq!(source.code.lines().count(), TRICKY.lines().count());
    assert!(!source.code.contains("comment") && !source.code.contains("nested"));
}

#[test]
fn half_a_file_breaks_nothing() {
    let letters: Vec<char> = TRICKY.chars().collect();
    for end in 0..letters.len() {
        let text: String = letters[..end].iter().collect();
        let code = rust::read(&text).code;
        assert_eq!(code.chars().count(), end, "nothing is lost or doubled");
        let _ = (rust::functions(&code), rust::test_lines(&code));
    }
}

#[test]
fn a_function_of_71_lines_is_too_long() {
    let of = |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
    assert!(sizes::too_long(&of(70)).is_empty());
    assert_eq!(sizes::too_long(&of(71))[0].lines, 71);
}

#[test]
fn sql_is_told_from_prose() {
    for sql in [
        "SELECT id FROM run WHERE state = 1",
        "INSERT INTO run(id) VALUES ($1)",
        "insert into run values (1)",
        "UPDATE run\n   SET state = 2",
        "DELETE FROM run",
        "select id from run where x",
    ] {
        assert!(places::looks_like_sql(sql), "{sql}");
    }
    for prose in [
        "select a quote",
        "update the set of lines",
        "FROM here",
        "deleted from the CRM",
    ] {
        assert!(!places::looks_like_sql(prose), "{prose}");
    }
}

#[test]
fn the_clock_is_found_outside_tests_only() {
    let found = |text| {
        places::sources_of_change(text)
            .into_iter()
            .map(|(line, _)| line)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        found("fn f() {\n  std::time::Instant::now();\n  jiff::Timestamp::now();\n}"),
        [2, 3]
    );
    assert_eq!(found("fn f() { aws_lc_rs::rand::fill(x); }"), [1]);
    assert!(found("fn f() { tokio::time::Instant::now(); MyInstant::now(); operand::x(); }").is_empty());
    assert!(found("// Instant::now()\nfn f() { g(\"Instant::now()\") }").is_empty());
    assert!(found("#[cfg(test)]\nmod tests {\n  fn f() { Uuid::new_v4(); }\n}").is_empty());
    assert_eq!(found("#[cfg(test)]\nmod tests;\nfn f() { Uuid::new_v4(); }"), [3]);
}

#[test]
fn manifests_are_understood() {
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\nb = { path = \"b\" } # why\n\
        [dev-dependencies]\nc = \"1\"\n[target.'cfg(unix)'.dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n\
        [lints]\nworkspace = true\n";
    let of = |name: &str, line, dev| Dependency {
        name: name.to_owned(),
        line,
        dev,
    };
    let expected = [
        of("a", 4, false),
        of("b", 5, false),
        of("c", 7, true),
        of("d", 9, false),
        of("e", 10, false),
    ];
    assert_eq!(walls::dependencies(manifest), expected);
}

#[test]
fn empty_names_and_marks_are_found() {
    assert_eq!(
        names::modules("mod fine;\npub mod utils {}\n// mod helpers;"),
        [(2, "utils".to_owned())]
    );
    let mark = concat!("FIX", "ME");
    assert_eq!(leftovers::marks(&format!("ok\n// {mark}: later\n")), [(2, mark)]);
    assert!(leftovers::marks("006D000000Kv3g5XXX").is_empty());
}

#[test]
fn codes_are_read_from_the_list() {
    let list = "/// Why.\nA = \"NOT_FOUND\", NotFound, 404, \"check the id\";\nB = \"INTERNAL\", Protocol, 500, \"OK\";";
    assert_eq!(
        pages::codes(list),
        [(2, "NOT_FOUND".to_owned()), (3, "INTERNAL".to_owned())]
    );
}

#[test]
fn claims_without_ground_are_found() {
    let page = "`src/a.rs::holds` and `tests/b` and `cpq x`\n`docs/c.md`";
    assert_eq!(
        claims::names(page),
        [(1, "src/a.rs::holds"), (1, "tests/b"), (2, "docs/c.md")]
    );
    let code = "#[tokio::test(start_paused = true)]\n// why\nasync fn holds() {}\nfn helps() {}\n#[test]\nfn holds_too() {}";
    assert!(claims::is_test(code, "holds") && claims::is_test(code, "holds_too"));
    assert!(!claims::is_test(code, "helps") && !claims::is_test(code, "hold"));
}

#[test]
fn a_checklist_is_read_line_by_line() {
    let about = |text: &str, id: &str| {
        let found = claims::checked(text);
        found.into_iter().filter(|told| told.contains(id)).count()
    };
    let good = "| V1.1.1 | 2 | decode | met | `src/a.rs::b` |\n- V1.1.2, V1.2.1: none of it\n";
    assert_eq!(
        (
            about(good, "V1.1.1 "),
            about(good, "V1.1.2 "),
            about(good, "V1.2.1 ")
        ),
        (0, 0, 0)
    );
    assert_eq!(about(good, "V1.2.2 is left out"), 1);
    let bad =
        "| V1.1.1 | 2 | decode | met | surely |\n| V1.1.2 | 2 | encode | gap | no |\n- V1.1.1, V1.3.12: none";
    for told in [
        "no test shows it",
        "the gap is not told",
        "V1.1.1 is there 2 times",
        "V1.3.12 is no id",
    ] {
        assert_eq!(about(bad, told), 1, "{told}");
    }
}
