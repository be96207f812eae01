//! `report.html`: one page that needs nothing beside itself.

use std::fmt::Write as _;

use super::{Outcome, Report, Verdict, escaped};
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
             <h1>{agent}</h1><p>{plan}, the certification tests of USP Agents. Software {software}, USP {versions}. \
             Reached over {way}.</p>",
            plan = crate::catalogue::PLAN,
            software = or_unknown(&self.software),
            versions = or_unknown(&self.versions),
            way = escaped(&self.way),
        );
        self.put_summary(&mut page);
        for (number, (title, _)) in self.by_section() {
            let _ = write!(page, "<h2>{}</h2>", escaped(title));
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
            let _ = write!(page, "<th class=\"{0}\">{0}</th>", verdict.name());
        }
        page.push_str("</tr></thead><tbody>");
        for (title, counts) in self.by_section().into_values() {
            put_row(page, title, counts);
        }
        put_row(
            page,
            "Together",
            Verdict::ALL.map(|verdict| self.count(verdict)),
        );
        page.push_str(
            "</tbody></table><p>Open a test to see its steps, what was said both ways, what was expected and \
             what came. <i>Not applicable</i>: the plan does not ask it of such an Agent. <i>Not runnable</i>: it \
             could not be tried, which says nothing about the Agent.</p>",
        );
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
            "<details class=\"test {result}\" id=\"t{id}\"{open}><summary><b>{id}</b> {title} \
             <span class=\"verdict\">{result}</span></summary>",
            result = self.result.name(),
            id = self.id,
            title = escaped(self.title),
        );
        if !self.reason.is_empty() {
            let _ = write!(page, "<p class=\"reason\">{}</p>", escaped(&self.reason));
        }
        let condition = match self.condition {
            "" => String::new(),
            condition => format!(": {}", escaped(condition)),
        };
        let level = self.level.name();
        let _ = write!(
            page,
            "<p class=\"level\">{level}{condition}; took {:.1} s</p>",
            self.seconds
        );
        page.push_str("<ol>");
        self.steps.iter().for_each(|step| put_step(page, step));
        page.push_str("</ol></details>");
    }
}

fn put_row(page: &mut String, title: &str, counts: [usize; 4]) {
    let _ = write!(page, "<tr><td>{}</td>", escaped(title));
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
        Direction::Came => ("came", "← Agent"),
        Direction::Note => ("note", "·"),
        Direction::Sent => ("sent", "→ Agent"),
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
