use super::{column, parts, workshop};
use crate::site::code;
use serde_json::json;

#[test]
fn operators_by_kind() {
    let mut site = workshop();
    let cases: [(&str, &[&str]); 34] = [
        ("Colors__c INCLUDES ('Red;Green')", &["bolt"]),
        ("Colors__c INCLUDES ('red', 'Blue')", &["bolt", "Nut"]),
        ("Colors__c EXCLUDES ('Blue')", &["axle_1", "bolt", "Zahnrad"]),
        ("Colors__c = 'Red;Green'", &["bolt"]),
        ("toLabel(Size__c) = 'small'", &["Nut"]),
        ("toLabel(Size__c) LIKE '%e'", &["axle_1"]),
        ("Name LIKE 'axle\\_%'", &["axle_1"]),
        ("Name LIKE 'b_lt'", &["bolt"]),
        ("NOT Name LIKE '%t'", &["axle_1", "Zahnrad"]),
        ("(NOT (Name = 'nut' OR Name = 'BOLT'))", &["axle_1", "Zahnrad"]),
        // A unique field that looks at the case is compared by the case.
        ("Code__c = 'AbC'", &["bolt"]),
        ("Code__c = 'abc'", &[]),
        ("Code__c IN ('ABD', 'abd')", &["Nut"]),
        ("Code__c = null", &["axle_1", "Zahnrad"]),
        ("Code__c = ''", &["axle_1", "Zahnrad"]),
        ("Weight__c >= .25 AND Weight__c < 1.5e1", &["bolt", "Nut"]),
        ("Weight__c IN (0.250, 40)", &["axle_1", "Nut"]),
        ("Weight__c NOT IN (0.250, 40)", &["bolt", "Zahnrad"]),
        ("Weight__c != 40", &["bolt", "Nut", "Zahnrad"]),
        ("Price__c > USD1000", &["bolt"]),
        ("Tested__c = null", &["axle_1", "Nut", "Zahnrad"]),
        ("Tested__c != null", &["bolt"]),
        ("Opens__c = 08:30:00.000Z", &["bolt"]),
        ("Account__c = null", &["axle_1", "Zahnrad"]),
        ("Account__r.Name = null", &["axle_1", "Zahnrad"]),
        ("Account__r.Name != null", &["bolt", "Nut"]),
        ("Whole__r.Account__r.Name = 'ACME'", &["Nut"]),
        ("Whole__r.Code__c = 'AbC' AND Size__c = 's'", &["Nut"]),
        ("Name > 'N'", &["Nut", "Zahnrad"]),
        ("Made__c = 2026-11-20", &["bolt"]),
        ("Made__c IN (2026-11-20, LAST_FISCAL_YEAR)", &["axle_1", "bolt"]),
        ("Made__c NOT IN (THIS_FISCAL_YEAR)", &["axle_1", "Zahnrad"]),
        ("Seen__c > 2026-11-22T10:00:00+02:00", &["bolt", "Nut"]),
        ("Seen__c = NULL AND Name LIKE 'z%'", &["Zahnrad"]),
    ];
    for (condition, expected) in cases {
        assert_eq!(parts(&mut site, condition), expected, "{condition}");
    }
}

#[test]
fn days_begin_where_the_user_lives() {
    let mut site = workshop();
    // It is the 22nd in Berlin; half past eleven of that evening in UTC is the next day there.
    assert_eq!(parts(&mut site, "Seen__c = TODAY"), ["Nut"]);
    assert_eq!(parts(&mut site, "Seen__c = TOMORROW"), ["bolt"]);
    assert_eq!(parts(&mut site, "Seen__c = NEXT_N_DAYS:1"), ["bolt"]);
    // The fiscal year begins in April.
    assert_eq!(parts(&mut site, "Made__c = THIS_FISCAL_YEAR"), ["bolt", "Nut"]);
    assert_eq!(parts(&mut site, "Made__c = N_FISCAL_QUARTERS_AGO:2"), ["Nut"]);
    assert_eq!(parts(&mut site, "Made__c < THIS_FISCAL_YEAR"), ["axle_1"]);
    site.wait(24 * 3600);
    assert_eq!(parts(&mut site, "Seen__c = TODAY"), ["bolt"]);
}

#[test]
fn amounts_of_several_currencies() {
    let mut scenario = sandbox::scenario::named("crm-sync").expect("embedded");
    let currencies = json!([{"code": "USD", "rate": 1.0}, {"code": "EUR", "rate": 0.5}]);
    scenario.currencies = serde_json::from_value(currencies).expect("currencies");
    let mut site = crate::site::Site::of(&scenario);
    let mut make = |name: &str, code: &str, amount: i64| {
        let body = json!({"Name": name, "StageName": "Prospecting", "CloseDate": "2026-12-01", "Amount": amount,
                          "CurrencyIsoCode": code});
        site.create("Opportunity", body)
    };
    make("cur dollars", "USD", 150);
    make("cur euros", "EUR", 100);
    let mut names = |rest: &str| {
        let rows = site.rows(&format!(
            "SELECT Name FROM Opportunity WHERE Name LIKE 'cur%' {rest}"
        ));
        column(&rows, "Name")
    };
    // A hundred euros are two hundred dollars here.
    assert_eq!(names("AND Amount > USD160"), [json!("cur euros")]);
    assert_eq!(names("AND Amount > 120"), [json!("cur dollars")]);
    assert_eq!(names("AND Amount = EUR75"), [json!("cur dollars")]);
    assert_eq!(
        names("ORDER BY Amount"),
        [json!("cur dollars"), json!("cur euros")]
    );
    let row = site.one(
        "SELECT Amount, convertCurrency(Amount) dollars, FORMAT(Amount) text, FORMAT(convertCurrency(Amount)) both \
         FROM Opportunity WHERE Name = 'cur euros'",
    );
    assert_eq!((&row["Amount"], &row["dollars"]), (&json!(100.0), &json!(200.0)));
    assert_eq!(
        (&row["text"], &row["both"]),
        (&json!("EUR 100.00"), &json!("USD 200.00"))
    );
    let sum = site.one("SELECT SUM(Amount) FROM Opportunity WHERE Name LIKE 'cur%'");
    assert_eq!(sum["expr0"], json!(350.0));
    for bad in ["Amount > XYZ5", "Amount IN (USD5, 6)", "Amount = JPY7"] {
        let query = format!("SELECT Id FROM Opportunity WHERE {bad}");
        assert_eq!(code(&site.soql(&query)), (400, "INVALID_FIELD".into()), "{bad}");
    }
}

#[test]
fn scopes_and_marks() {
    let mut site = workshop();
    let other = json!({"Username": "o@example.com", "LastName": "Other", "Email": "o@example.com", "Alias": "o",
        "TimeZoneSidKey": "GMT", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8", "LanguageLocaleKey": "en_US",
        "ProfileId": site.rows("SELECT Id FROM Profile")[0]["Id"]});
    let other = site.create("User", other);
    site.create("Account", json!({"Name": "Theirs", "OwnerId": other}));
    let names = |site: &mut crate::site::Site, scope: &str| {
        column(
            &site.rows(&format!(
                "SELECT Name FROM Account USING SCOPE {scope} ORDER BY Name"
            )),
            "Name",
        )
    };
    assert_eq!(names(&mut site, "mine"), [json!("Acme")]);
    assert_eq!(names(&mut site, "Everything"), [json!("Acme"), json!("Theirs")]);
    let stamp = |site: &mut crate::site::Site| {
        site.one("SELECT LastViewedDate, LastReferencedDate, SystemModstamp FROM Account WHERE Name = 'Acme'")
    };
    let before = stamp(&mut site);
    assert_eq!(before["LastViewedDate"], json!(null));
    site.wait(60);
    site.rows("SELECT Id FROM Account WHERE Name = 'Acme' FOR VIEW FOR REFERENCE");
    let after = stamp(&mut site);
    assert_eq!(after["LastViewedDate"], json!("2026-11-22T10:01:30.000+0000"));
    assert_eq!(after["LastReferencedDate"], after["LastViewedDate"]);
    assert_eq!(after["SystemModstamp"], before["SystemModstamp"]);
}
