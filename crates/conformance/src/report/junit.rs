//! `report.xml`, as JUnit has it: a suite for each section.

use std::fmt::Write as _;

use super::{Outcome, Report, Verdict, escaped};

impl Report {
    /// The report as JUnit's XML. What could not be tried or does not apply is `skipped`, with its reason.
    pub fn to_junit(&self) -> String {
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        // Writing to a String cannot fail.
        let _ = writeln!(
            xml,
            "<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" \
             timestamp=\"{}\">",
            crate::catalogue::PLAN,
            self.outcomes.len() + usize::from(self.incomplete.is_some()),
            self.count(Verdict::Failed),
            usize::from(self.incomplete.is_some()),
            escaped(&self.date),
        );
        if let Some(incomplete) = &self.incomplete {
            // For those who only ask whether all is green.
            let _ = writeln!(
                xml,
                "  <testsuite name=\"The run\" tests=\"1\" failures=\"0\" errors=\"1\" skipped=\"0\">\n    \
                 <testcase classname=\"tp469\" name=\"All that was chosen is run\" time=\"0.000\"><error \
                 message=\"{}\"/></testcase>\n  </testsuite>",
                escaped(&incomplete.to_string())
            );
        }
        for (number, (title, counts)) in self.by_section() {
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
                escaped(title),
                counts.iter().sum::<usize>(),
                counts[Verdict::Failed as usize],
                counts[Verdict::NotApplicable as usize] + counts[Verdict::NotRunnable as usize],
            );
            let of_section = self.outcomes.iter();
            for outcome in of_section.filter(|outcome| outcome.id.section == number) {
                xml.push_str(&outcome.to_junit());
            }
            xml.push_str("  </testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        xml
    }
}

impl Outcome {
    fn to_junit(&self) -> String {
        let head = format!(
            "    <testcase classname=\"tp469.section{}\" name=\"{} {}\" time=\"{:.3}\"",
            self.id.section,
            self.id,
            escaped(self.title),
            self.seconds
        );
        let reason = escaped(&self.reason);
        match self.result {
            Verdict::Passed => format!("{head}/>\n"),
            Verdict::Failed => {
                format!("{head}><failure message=\"{reason}\"/></testcase>\n")
            }
            Verdict::NotApplicable | Verdict::NotRunnable => format!(
                "{head}><skipped message=\"{}: {reason}\"/></testcase>\n",
                self.result.name()
            ),
        }
    }
}
