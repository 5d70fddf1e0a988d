//! The style of the house, as a test. Each rule has its reason in CONTRIBUTING.md; each offence says what to do.

#[path = "tidy/claims.rs"]
mod claims;
#[path = "tidy/leftovers.rs"]
mod leftovers;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/pages.rs"]
mod pages;
#[path = "tidy/places.rs"]
mod places;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/samples.rs"]
mod samples;
#[path = "tidy/sizes.rs"]
mod sizes;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/walls.rs"]
mod walls;

use tree::none;

#[test]
fn every_room_stays_within_its_walls() {
    none("walls", walls::offences());
}

#[test]
fn every_room_has_walls() {
    none("rooms", walls::strangers());
}

#[test]
fn no_file_is_longer_than_the_cap() {
    none("file length", sizes::long_files());
}

#[test]
fn no_function_is_longer_than_the_cap() {
    none("function length", sizes::long_functions());
}

#[test]
fn files_are_short_as_a_rule() {
    let (told, offences) = sizes::median();
    println!("{told}");
    none("median", offences);
}

#[test]
fn every_name_says_something() {
    none("names", names::offences());
}

#[test]
fn sql_stands_in_the_store() {
    none("SQL", places::sql());
}

#[test]
fn clock_and_randomness_come_through_the_world() {
    none("clock and randomness", places::clock_and_randomness());
}

#[test]
fn every_error_code_has_its_page() {
    none("error pages", pages::errors());
}

#[test]
fn what_is_claimed_of_security_is_there() {
    none("claims of security", claims::untrue());
}

#[test]
fn every_requirement_is_answered_once() {
    none("the ASVS checklist", claims::unchecked());
}

#[test]
fn every_crate_says_what_it_is() {
    none("crate documentation", pages::fronts());
}

#[test]
fn nothing_is_left_unfinished() {
    none("leftovers", leftovers::unfinished());
}

#[test]
fn every_test_runs() {
    none("ignored tests", leftovers::ignored());
}

#[test]
fn no_path_of_one_machine() {
    none("machine paths", leftovers::machine_paths());
}

#[test]
fn every_file_is_in_the_repository() {
    none("untracked files", leftovers::untracked());
}
