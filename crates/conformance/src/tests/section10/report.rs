//! What is in a report, whatever it is encoded as. (R-BULK.9 to R-BULK.13)

use std::collections::BTreeMap;

use serde_json::Value;

/// What TR-181 separates the fields and escapes by, unless it is told otherwise.
const COMMA: u8 = b',';
const QUOTE: u8 = b'"';

/// The names that a report uses for when it was made.
const TIMES: [&str; 2] = ["CollectionTime", "ReportTimestamp"];

/// How reports are encoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Encoding {
    Csv,
    Json,
}

/// The values of one report by the names that they have there; when it was made aside.
pub(super) type Report = BTreeMap<String, String>;

impl Encoding {
    /// The word for it in the data model.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Json => "JSON",
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv",
            Self::Json => "application/json",
        }
    }

    /// The reports of one transfer, which are more than one where earlier ones have failed.
    ///
    /// # Errors
    /// They are not well-formed: why.
    pub(super) fn reports(self, body: &[u8]) -> Result<Vec<Report>, String> {
        match self {
            Self::Csv => of_csv(body),
            Self::Json => of_json(body),
        }
    }
}

fn of_json(body: &[u8]) -> Result<Vec<Report>, String> {
    let whole: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Some(Value::Array(reports)) = whole.get("Report") else {
        return Err("an object with the array \"Report\" was expected".to_owned());
    };
    let read = reports.iter().map(|report| {
        let Value::Object(members) = report else {
            return Err("an object was expected for each Report".to_owned());
        };
        let mut flat = Report::new();
        for (name, value) in members {
            if !TIMES.contains(&name.as_str()) {
                flatten(name.clone(), value, &mut flat);
            }
        }
        Ok(flat)
    });
    read.collect()
}

/// An ObjectHierarchy as if it were NameValuePairs. It is as deep as its parser lets it be.
fn flatten(name: String, value: &Value, flat: &mut Report) {
    match value {
        Value::Object(members) => {
            for (member, value) in members {
                flatten(format!("{name}.{member}"), value, flat);
            }
        }
        Value::String(text) => drop(flat.insert(name, text.clone())),
        other => drop(flat.insert(name, other.to_string())),
    }
}

fn of_csv(body: &[u8]) -> Result<Vec<Report>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(COMMA)
        .quote(QUOTE)
        .from_reader(body);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let at = |name: &str| header.iter().position(|column| column == name);
    let per_row = at("ParameterName").zip(at("ParameterValue"));
    let mut reports = Vec::new();
    let mut rows = Report::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        match per_row {
            Some((name, value)) => {
                let of = |column: usize| row.get(column).unwrap_or_default().to_owned();
                rows.insert(of(name), of(value));
            }
            None => {
                let fields = header.iter().zip(row.iter());
                let fields = fields.filter(|(name, _)| !TIMES.contains(name));
                reports.push(
                    fields
                        .map(|(name, value)| (name.to_owned(), value.to_owned()))
                        .collect(),
                );
            }
        }
    }
    if per_row.is_some() {
        reports.push(rows);
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(encoding: Encoding, body: &str) -> Vec<(String, String)> {
        let mut reports = encoding.reports(body.as_bytes()).unwrap();
        assert_eq!(reports.len(), 1, "{reports:?}");
        reports.remove(0).into_iter().collect()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    #[test]
    fn both_formats_of_json_say_the_same() {
        let expected = pairs(&[("E.1.2", "true"), ("UpTime", "7")]);
        for body in [
            r#"{"Report":[{"CollectionTime":1,"UpTime":7,"E":{"1":{"2":true}}}]}"#,
            r#"{"Report":[{"CollectionTime":"2026-01-01T00:00:00Z","UpTime":7,"E.1.2":true}]}"#,
        ] {
            assert_eq!(only(Encoding::Json, body), expected);
        }
    }

    #[test]
    fn both_formats_of_csv_say_the_same() {
        let expected = pairs(&[("Name", "a \"b\", c"), ("UpTime", "7")]);
        for body in [
            "ReportTimestamp,UpTime,Name\r\n1,7,\"a \"\"b\"\", c\"\r\n",
            "ReportTimestamp,ParameterName,ParameterValue,ParameterType\r\n1,UpTime,7,unsignedInt\r\n1,Name,\"a \"\"b\"\", c\",string\r\n",
        ] {
            assert_eq!(only(Encoding::Csv, body), expected);
        }
    }

    #[test]
    fn what_is_not_well_formed_is_none() {
        for body in ["", "{", "[]", r#"{"Report":{}}"#, r#"{"Report":[7]}"#] {
            assert!(Encoding::Json.reports(body.as_bytes()).is_err(), "{body}");
        }
        assert!(Encoding::Csv.reports(b"A,B\r\n1\r\n").is_err());
    }
}
