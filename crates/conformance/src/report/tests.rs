use super::samples::report;

#[test]
fn json_has_what_its_readers_count_on() {
    let json = report().to_json();
    let tests = json["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 4);
    for (test, result) in tests
        .iter()
        .zip(["passed", "failed", "not-applicable", "not-runnable"])
    {
        assert_eq!(test["result"], result);
        for key in ["id", "title", "reason"] {
            assert!(test[key].is_string(), "{key}");
        }
    }
    assert_eq!(json["summary"]["passed"], 1);
}

#[test]
fn what_an_agent_says_stays_text() {
    let page = report().to_html();
    assert!(!page.contains("<script") && !page.contains("<b>GetResp") && !page.contains('\u{1b}'));
    assert!(page.contains("&lt;script&gt;") && page.contains("self::&lt;agent&gt;"));
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing from outside"
    );
    let xml = report().to_junit();
    assert!(!xml.contains('\u{1b}') && xml.contains("&quot;&lt;x&gt;&quot; came"));
    assert_eq!(xml.matches("<testcase").count(), 4);
    assert_eq!(xml.matches("<skipped").count(), 2);
    assert!(!report().to_text().contains('\u{1b}'));
}

#[test]
fn all_three_files_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("of/a/run");
    report().write(&inner).unwrap();
    for name in ["report.json", "report.xml", "report.html"] {
        assert!(inner.join(name).metadata().unwrap().len() > 100, "{name}");
    }
}
