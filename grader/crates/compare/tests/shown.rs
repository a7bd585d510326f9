//! What a comparison is shown as: every form is well formed and holds every figure's row.

use compare::report::{Machine, Missing};
use compare::{Report, Row, page, plot, table};
use datapath::{Cost, Mechanism, Sample, Size};

fn sample(mechanism: Mechanism, size: Size, stream_ns: u64) -> Sample {
    let messages = 10;
    let bytes = messages * size.bytes() as u64;
    let writes = Cost {
        writes: messages,
        bytes_written: bytes,
        voluntary_switches: 3,
        system_us: 40,
        ..Cost::default()
    };
    let reads = Cost {
        reads: messages,
        bytes_read: bytes,
        user_us: 40,
        ..Cost::default()
    };
    Sample {
        mechanism,
        size,
        messages,
        stream_ns,
        round_trip_ns: 5000,
        sender: writes,
        receiver: reads,
    }
}

fn report() -> Report {
    let mut rows = Vec::new();
    for size in Size::USUAL {
        for mechanism in Mechanism::ALL {
            let samples = [1_000_000, 2_000_000, 9_000_000].map(|ns| sample(mechanism, size, ns));
            rows.extend(Row::of(&samples));
        }
    }
    Report {
        version: Report::VERSION,
        machine: Machine {
            kernel: "6.1-<test>".to_owned(),
            cores: 2,
            load: 1.5,
        },
        repeats: 3,
        floor: vec![rows[0].clone()],
        rows,
        missing: vec![Missing {
            mechanism: Mechanism::Mqueue,
            size: Size::USUAL[0],
            why: "no <queues> & none to come".to_owned(),
        }],
    }
}

#[test]
fn a_row_says_what_a_message_a_byte_and_a_mib_cost() {
    let size: Size = "1M".parse().unwrap();
    let row = Row::of(&[sample(Mechanism::Pipe, size, 2_000_000_000)]).unwrap();
    assert_eq!(row.mib_per_s.median, 5.0);
    assert_eq!(row.calls_per_message.median, 2.0);
    assert_eq!(row.kernel_copies.median, 2.0);
    assert_eq!(row.switches_per_mib.median, 0.3);
    assert_eq!(row.cpu_us_per_mib.median, 8.0);
    assert_eq!(row.system_share.median, 0.5);
    assert!(Row::of(&[]).is_none());
}

#[test]
fn calls_of_futex_are_a_figure_only_where_they_were_counted() {
    let size: Size = "64".parse().unwrap();
    let mut silent = sample(Mechanism::ShmSemaphores, size, 1_000_000);
    (silent.sender.writes, silent.receiver.reads) = (0, 0);
    let mut counted = silent.clone();
    (counted.sender.futex_calls, counted.receiver.futex_calls) = (3, 4);
    let row = Row::of(&[silent]).unwrap();
    assert!(table::line(&row).contains(" futex "));
    let row = row.with_futex(Some(&counted));
    assert_eq!(row.futex_per_message, Some(0.7));
    assert!(
        table::line(&row).contains(" 0.70 "),
        "{}",
        table::line(&row)
    );
}

#[test]
fn the_json_can_be_read_back() {
    let report = report();
    let read: Report = serde_json::from_slice(&report.json()).unwrap();
    assert_eq!(read.rows.len(), report.rows.len());
    assert_eq!(read.rows[0].mib_per_s, report.rows[0].mib_per_s);
}

#[test]
fn the_plot_is_xml_with_a_point_for_every_row_inside_the_image() {
    let svg = plot::svg(&report());
    let document = roxmltree::Document::parse(&svg).unwrap();
    let circles = document
        .descendants()
        .filter(|node| node.has_tag_name("circle"));
    let circles: Vec<_> = circles.collect();
    assert_eq!(circles.len(), 2 * Size::USUAL.len() * Mechanism::ALL.len());
    for circle in circles {
        let at = |name| circle.attribute(name).unwrap().parse::<f64>().unwrap();
        assert!((0.0..=720.0).contains(&at("cx")) && (0.0..=664.0).contains(&at("cy")));
    }
}

#[test]
fn a_plot_of_nothing_or_of_one_point_is_still_an_image() {
    let mut report = report();
    report.rows.truncate(1);
    assert!(roxmltree::Document::parse(&plot::svg(&report)).is_ok());
    report.rows.clear();
    assert!(roxmltree::Document::parse(&plot::svg(&report)).is_ok());
}

#[test]
fn the_page_is_well_formed_whole_and_needs_nothing_from_outside() {
    let html = page::html(&report());
    // Its markup closes every element, so that an XML parser can say whether it is well formed.
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    let document = roxmltree::Document::parse_with_options(&html, options).unwrap();
    let count = |name| {
        document
            .descendants()
            .filter(|node| node.tag_name().name() == name)
            .count()
    };
    assert_eq!(count("section"), Mechanism::ALL.len(), "a drawing for each");
    assert_eq!(count("svg"), Mechanism::ALL.len() + 1);
    assert_eq!(count("table"), Size::USUAL.len() + 1);
    assert_eq!(count("script") + count("link") + count("img"), 0);
    for attribute in document.descendants().flat_map(|node| node.attributes()) {
        let is_foreign = attribute.value().contains("//")
            && !attribute.value().starts_with("http://www.w3.org/");
        assert!(!is_foreign, "{}", attribute.value());
    }
}

#[test]
fn the_table_names_every_row_and_what_is_missing() {
    let text = table::text(&report());
    for mechanism in Mechanism::ALL {
        assert_eq!(
            text.matches(&format!("\n  {} ", mechanism.id())).count(),
            6 + usize::from(mechanism == Mechanism::Pipe)
        );
    }
    assert!(
        text.contains("not measured: mqueue with 64 B: no <queues>"),
        "{text}"
    );
    assert!(text.contains("futex"), "what is not counted is said");
    let longest = text.lines().map(|line| line.chars().count()).max();
    assert!(longest <= Some(100), "{longest:?}");
}
