//! Pages in both formats.

use cpq_meter::catalogue::{api, crm, syncs};
use cpq_meter::{Format, Sheet, families, render};

/// Whatever is on a page, each metric says once what it is and means.
#[test]
fn every_metric_is_described() {
    let page = render(Format::Text, &Sheet::default());
    for family in families() {
        let (name, help) = (family.about().name, family.about().help.trim());
        assert_eq!(
            page.matches(&format!("# HELP {name} {help}\n")).count(),
            1,
            "{name}"
        );
        assert_eq!(page.matches(&format!("# TYPE {name} ")).count(), 1, "{name}");
    }
    assert!(!page.contains("EOF"));
}

#[test]
fn a_histogram_adds_up_and_names_an_example() {
    let labels = ["example", "client"];
    for (seconds, id) in [
        (0.004, "csync-1"),
        (0.004, "csync-2"),
        (0.3, "csync-3"),
        (99.0, "csync-4"),
    ] {
        api::REQUEST_DURATION.observe(labels, seconds, Some(id));
    }
    let own = |format| {
        let page = render(format, &Sheet::default());
        let lines = page.lines().filter(|line| line.contains("route=\"example\""));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let text = own(Format::Text);
    let name = "cpq_http_request_duration_seconds";
    let has =
        |lines: &[String], line: &str| assert!(lines.iter().any(|one| one == line), "{line}: {lines:#?}");
    let series = "route=\"example\",from=\"client\"";
    has(&text, &format!("{name}_bucket{{{series},le=\"0.001\"}} 0"));
    has(&text, &format!("{name}_bucket{{{series},le=\"0.005\"}} 2"));
    has(&text, &format!("{name}_bucket{{{series},le=\"1\"}} 3"));
    has(&text, &format!("{name}_bucket{{{series},le=\"+Inf\"}} 4"));
    has(&text, &format!("{name}_count{{{series}}} 4"));
    assert!(text.iter().all(|line| !line.contains('#')));
    let open = own(Format::OpenMetrics);
    has(
        &open,
        &format!("{name}_bucket{{{series},le=\"0.005\"}} 2 # {{correlation_id=\"csync-2\"}} 0.004"),
    );
    has(&open, &format!("{name}_bucket{{{series},le=\"1.0\"}} 3"));
    has(
        &open,
        &format!("{name}_bucket{{{series},le=\"+Inf\"}} 4 # {{correlation_id=\"csync-4\"}} 99"),
    );
}

/// A caller may choose the id of a request; an exemplar must stay small (OpenMetrics 1.0).
#[test]
fn a_long_id_is_no_example() {
    api::REQUEST_DURATION.observe(["long", "client"], 0.1, Some(&"x".repeat(200)));
    let page = render(Format::OpenMetrics, &Sheet::default());
    let line = page
        .lines()
        .find(|line| line.contains("route=\"long\",from=\"client\",le=\"0.1\""));
    assert_eq!(line.map(|line| line.contains('#')), Some(false), "{line:?}");
}

#[test]
fn openmetrics_names_a_counter_without_its_end() {
    syncs::RESTARTS.add(["a\"b\\c\nd"], 2);
    let page = render(Format::OpenMetrics, &Sheet::default());
    assert!(page.contains("# TYPE cpq_sync_restarts counter\n"), "{page}");
    assert!(
        page.contains("cpq_sync_restarts_total{connection=\"a\\\"b\\\\c\\nd\"} 2\n"),
        "{page}"
    );
    assert!(page.contains("# TYPE cpq_build info\n"), "{page}");
    assert!(page.ends_with("# EOF\n"));
}

#[test]
fn what_is_read_is_on_its_own_page_only() {
    let mut sheet = Sheet::default();
    sheet.put(&crm::CALLS_EXHAUSTED, ["crm"], f64::INFINITY);
    let line = "cpq_crm_calls_exhausted_timestamp_seconds{connection=\"crm\"} +Inf\n";
    assert!(render(Format::Text, &sheet).contains(line));
    assert!(!render(Format::Text, &Sheet::default()).contains(line));
}

#[test]
fn openmetrics_is_for_those_who_ask_for_it() {
    let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    assert_eq!(Format::accepted(prometheus), Format::OpenMetrics);
    assert_eq!(
        Format::accepted("application/openmetrics-text"),
        Format::OpenMetrics
    );
    for other in [
        "",
        "*/*",
        "text/plain",
        "text/html,*/*;q=0.8",
        "application/openmetrics-text;q=0",
    ] {
        assert_eq!(Format::accepted(other), Format::Text, "{other}");
    }
    let text_first = "text/plain, application/openmetrics-text;q=0.5";
    assert_eq!(Format::accepted(text_first), Format::Text);
}
