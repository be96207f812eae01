//! `report.html`: one page that needs nothing beside itself.

use std::fmt::Write as _;

use super::{Outcome, Report, Verdict, escaped};
use crate::catalogue::Level;
use crate::transcript::{Direction, Exchange, Step};

const STYLE: &str = include_str!("page.css");

impl Report {
    /// The report as one self-contained page, without scripts. Everything that the Agent said is escaped.
    pub fn to_html(&self) -> String {
        let mut page = String::new();
        let agent = escaped(&self.agent);
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            page,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
             <title>{agent}: {plan}</title><style>{STYLE}</style></head><body>\
             <h1>Conformance of {agent}</h1><p>How this Agent does in {plan}, the tests that USP Agents are certified \
             by. The suite is a Controller that it trusts. Software of the Agent {software}, versions of USP {versions}. \
             Reached over {way}. Run on {date}, by version {suite} of the suite.</p>",
            plan = crate::catalogue::PLAN,
            software = or_unknown(&self.software),
            versions = or_unknown(&self.versions),
            way = escaped(&self.way),
            date = escaped(&self.date),
            suite = super::SUITE,
        );
        if let Some(incomplete) = &self.incomplete {
            let text = escaped(&incomplete.to_string());
            let _ = write!(page, "<p class=\"why\"><b>Note that {text}.</b></p>");
        }
        self.put_summary(&mut page);
        self.put_failed(&mut page);
        for (number, (title, _)) in self.by_section() {
            let _ = write!(page, "<h2 id=\"s{number}\">{}</h2>", escaped(title));
            let of_section = self.outcomes.iter();
            for outcome in of_section.filter(|outcome| outcome.id.section == number) {
                outcome.put(&mut page);
            }
        }
        page.push_str("</body></html>\n");
        page
    }

    fn put_summary(&self, page: &mut String) {
        page.push_str("<table><thead><tr><th>Section</th>");
        for verdict in Verdict::ALL {
            let (class, name) = (verdict.name(), in_words(verdict));
            let _ = write!(page, "<th class=\"{class}\">{name}</th>");
        }
        page.push_str("</tr></thead><tbody>");
        for (number, (title, counts)) in self.by_section() {
            let title = format!("<a href=\"#s{number}\">{}</a>", escaped(title));
            put_row(page, &title, counts);
        }
        put_row(
            page,
            "Together",
            Verdict::ALL.map(|verdict| self.count(verdict)),
        );
        page.push_str(
            "</tbody></table><dl><dt class=\"passed\">passed</dt><dd>The Agent did what the plan expects.</dd>\
             <dt class=\"failed\">failed</dt><dd>It did not. The reason is told in red: what was expected, and what \
             came.</dd><dt>not applicable</dt><dd>The plan does not ask it of such an Agent.</dd>\
             <dt class=\"not-runnable\">not runnable</dt><dd>It could not be tried here, which says nothing about the \
             Agent.</dd></dl><p>Open a test to see its steps, and in each what the suite and the Agent have said, with \
             the seconds since the test began; open that to read all of it.</p>",
        );
    }

    /// What has failed, for those who want to know nothing else.
    fn put_failed(&self, page: &mut String) {
        let failed = self.outcomes.iter();
        let failed = failed.filter(|outcome| outcome.result == Verdict::Failed);
        let mut failed = failed.peekable();
        if failed.peek().is_none() {
            if self.incomplete.is_none() {
                page.push_str("<p><b>No test has failed.</b></p>");
            }
            return;
        }
        page.push_str("<h2>What has failed</h2><ul class=\"list\">");
        for outcome in failed {
            let _ = write!(
                page,
                "<li><a href=\"#t{id}\">{id} {title}</a><br><span class=\"why\">{reason}</span></li>",
                id = outcome.id,
                title = escaped(outcome.title),
                reason = escaped(&outcome.reason),
            );
        }
        page.push_str("</ul>");
    }
}

impl Outcome {
    fn put(&self, page: &mut String) {
        let open = if self.result == Verdict::Failed {
            " open"
        } else {
            ""
        };
        let _ = write!(
            page,
            "<details class=\"test {class}\" id=\"t{id}\"{open}><summary><span class=\"name\"><b>{id}</b> {title}</span> \
             <span class=\"verdict\">{result}</span>",
            class = self.result.name(),
            result = in_words(self.result),
            id = self.id,
            title = escaped(self.title),
        );
        if !self.reason.is_empty() {
            let _ = write!(
                page,
                "<span class=\"reason\">{}</span>",
                escaped(&self.reason)
            );
        }
        page.push_str("</summary>");
        let asked = match (self.level, self.condition) {
            (Level::Mandatory, _) => "The plan asks this of every Agent".to_owned(),
            (Level::Conditional, condition) => format!(
                "The plan asks this of some Agents (its condition: {})",
                escaped(condition)
            ),
            (Level::Deprecated, _) => "The plan asks this of nobody any more".to_owned(),
            (Level::Placeholder, _) => "The plan only keeps the number free".to_owned(),
        };
        let took = match self.steps.is_empty() {
            true => String::new(),
            false => format!(" It took {:.1} s, without cleaning up.", self.seconds),
        };
        let _ = write!(page, "<p class=\"level\">{asked}.{took}</p>");
        page.push_str("<ol>");
        self.steps.iter().for_each(|step| put_step(page, step));
        page.push_str("</ol></details>");
    }
}

/// What a verdict is called in a sentence.
fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::NotApplicable => "not applicable",
        Verdict::NotRunnable => "not runnable",
    }
}

fn put_row(page: &mut String, title: &str, counts: [usize; 4]) {
    let _ = write!(page, "<tr><td>{title}</td>");
    for count in counts {
        let _ = write!(page, "<td class=\"number\">{count}</td>");
    }
    page.push_str("</tr>");
}

fn put_step(page: &mut String, step: &Step) {
    let _ = write!(
        page,
        "<li>{} <small>{:.3} s</small>",
        escaped(&step.text),
        step.at
    );
    step.exchanges
        .iter()
        .for_each(|exchange| put_exchange(page, exchange));
    page.push_str("</li>");
}

fn put_exchange(page: &mut String, exchange: &Exchange) {
    let (class, arrow) = match exchange.direction {
        Direction::Came => ("came", "Agent → suite:"),
        Direction::Note => ("note", "·"),
        Direction::Sent => ("sent", "Suite → Agent:"),
    };
    let title = escaped(&exchange.title);
    let at = exchange.at;
    if exchange.text.is_empty() {
        let _ = write!(
            page,
            "<p class=\"{class}\">{arrow} {title} <small>{at:.3} s</small></p>"
        );
        return;
    }
    let _ = write!(
        page,
        "<details class=\"{class}\"><summary>{arrow} {title} <small>{at:.3} s</small></summary><pre>{}</pre></details>",
        escaped(&exchange.text)
    );
}

fn or_unknown(text: &str) -> String {
    match text {
        "" => "unknown".to_owned(),
        text => escaped(text),
    }
}
