//! `cpq ownership check`: what is wrong with a matrix before it is used.

use crate::house::{House, until};

fn matrix(house: &House, more: &str) -> String {
    let shown = house.cpq(&["ownership", "show", "--toml"]).ok();
    let path = house.path().join("matrix.toml");
    std::fs::write(&path, format!("{}\n{more}", shown.out)).expect("a file");
    path.to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn the_built_in_matrix_is_right_with_an_org_and_without() {
    let house = House::empty();
    let said = house.cpq(&["--json", "ownership", "check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["orgKnown"], false);
    let house = House::connected();
    let said = house.cpq(&["--json", "ownership", "check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.json()["orgKnown"], true);
}

#[test]
fn each_mistake_is_told_with_its_line_and_the_way_out() {
    let house = House::connected();
    let path = matrix(
        &house,
        "[[rule]]\nfield = \"opportunity.nmae\"\nowner = \"crm\"\npolicy = \"always\"\n\
         [[rule]]\nfield = \"opportunity.name\"\nowner = \"cpq\"\npolicy = \"always\"\n",
    );
    let said = house.cpq(&["--json", "ownership", "check", &path]);
    assert_eq!(said.code, 1, "{said:?}");
    let told = said.json();
    let kinds: Vec<&str> = told["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(|finding| finding["lint"].as_str().expect("a kind"))
        .collect();
    assert_eq!(
        kinds,
        ["unknown_field", "two_owners", "unreachable", "read_only"],
        "{told}"
    );
    assert_eq!(told["findings"][0]["fix"], "did you mean opportunity.name?");
    let plain = house.cpq(&["ownership", "check", &path]);
    assert!(
        plain
            .out
            .contains("opportunity.nmae: opportunity.nmae is no field"),
        "{plain:?}"
    );
}

#[test]
fn a_difference_is_told_field_by_field() {
    let house = House::empty();
    let path = matrix(&house, "");
    let same = house.cpq(&["--json", "ownership", "diff", &path]);
    assert_eq!(
        (same.code, &same.json()["differences"]),
        (0, &serde_json::json!([]))
    );
    let text = std::fs::read_to_string(&path).expect("a text");
    let changed = text.replacen("policy = \"always\"", "policy = \"review\"", 1);
    std::fs::write(&path, changed).expect("a file");
    let said = house.cpq(&["--json", "ownership", "diff", &path]);
    assert_eq!(said.code, 1, "{said:?}");
    let told = said.json();
    assert_eq!(told["differences"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(told["differences"][0]["before"][0]["overwritePolicy"], "always");
    assert_eq!(told["differences"][0]["after"][0]["overwritePolicy"], "review");
    let plain = house.cpq(&["ownership", "diff", &path]);
    assert!(
        plain.out.contains("CRM always") && plain.out.contains("CRM review"),
        "{plain:?}"
    );
}

#[test]
fn a_right_matrix_comes_into_force_and_old_ones_can_still_be_shown() {
    let house = House::connected();
    house.cpq(&["sync", "run", "--opportunity", "OPP-4482"]).ok();
    let first = house.cpq(&["--json", "ownership", "show"]).ok().json();
    let path = matrix(&house, "");
    let text = std::fs::read_to_string(&path).expect("a text");
    let name = "field = \"opportunity.name\"\nowner = \"crm\"\npolicy = \"always\"";
    std::fs::write(&path, text.replacen(name, &name.replace("always", "never"), 1)).expect("a file");
    let applied = house.cpq(&["--json", "ownership", "apply", &path]).ok().json();
    let now = house.cpq(&["--json", "ownership", "show"]).ok().json();
    assert_eq!(now["version"], applied["version"]);
    assert_ne!(now["version"], first["version"]);
    let plan = house
        .cpq(&["--json", "sync", "run", "--opportunity", "OPP-4482", "--dry-run"])
        .ok()
        .json();
    assert_eq!(plan["matrixVersion"], applied["version"], "{plan}");
    let versions = house.cpq(&["--json", "ownership", "versions"]).ok().json();
    assert_eq!(versions["inForce"], applied["version"]);
    assert_eq!(
        versions["versions"].as_array().map(Vec::len),
        Some(2),
        "{versions}"
    );
    let old = first["version"].as_str().expect("a version");
    let shown = house
        .cpq(&["--json", "ownership", "show", "--of", old])
        .ok()
        .json();
    assert_eq!(shown["rules"], first["rules"]);
    house.cpq(&["ownership", "apply", "--built-in"]).ok();
    assert_eq!(
        house.cpq(&["--json", "ownership", "show"]).ok().json()["version"],
        first["version"]
    );
}

#[test]
fn a_wrong_matrix_does_not_come_into_force() {
    let house = House::connected();
    let path = matrix(
        &house,
        "[[rule]]\nfield = \"opportunity.nmae\"\nowner = \"crm\"\npolicy = \"always\"\n",
    );
    let before = house.cpq(&["--json", "ownership", "show"]).ok().json()["version"].clone();
    let said = house.cpq(&["--json", "ownership", "apply", &path]);
    assert_eq!((said.code, &said.json()["ok"]), (1, &serde_json::json!(false)));
    std::fs::write(&path, "rule = 7").expect("a file");
    assert_eq!(house.cpq(&["ownership", "apply", &path]).code, 1);
    assert_eq!(
        house.cpq(&["--json", "ownership", "show"]).ok().json()["version"],
        before
    );
    let unknown = house.cpq(&["ownership", "show", "--of", "0123"]);
    assert!(
        unknown.code == 1 && unknown.err.contains("cpq ownership versions"),
        "{unknown:?}"
    );
}

#[test]
fn a_service_takes_a_new_matrix_while_it_runs_and_keeps_the_last_good_one() {
    let house = House::connected();
    let path = matrix(&house, "");
    let good = std::fs::read_to_string(&path).expect("a text");
    std::fs::write(
        house.path().join("cpq.toml"),
        "[ownership]\nfile = \"matrix.toml\"\n",
    )
    .expect("a file");
    let service = house.serve();
    let shown = || {
        service
            .json(
                reqwest::Method::GET,
                "/api/v1/ownership",
                &[],
                &serde_json::Value::Null,
            )
            .1
    };
    let first = shown();
    let other = good.replacen("policy = \"always\"", "policy = \"never\"", 1);
    std::fs::write(&path, &other).expect("a file");
    let second = until("the new matrix", shown, |now| now["version"] != first["version"]);
    std::fs::write(&path, "rule = 7").expect("a file");
    let refused = until("the refusal", shown, |now| now["refused"].is_string());
    assert_eq!(refused["version"], second["version"], "the last good one stays");
    assert!(
        refused["refused"]
            .as_str()
            .is_some_and(|why| why.contains("line 1")),
        "{refused}"
    );
    let synced = service.json(
        reqwest::Method::POST,
        "/api/v1/sync/opportunities/OPP-4482",
        &[],
        &serde_json::json!({}),
    );
    assert_eq!(synced.1["status"], "success", "{synced:?}");
    std::fs::write(&path, &good).expect("a file");
    let back = until("the old matrix", shown, |now| now["version"] == first["version"]);
    assert!(back["refused"].is_null(), "{back}");
}
