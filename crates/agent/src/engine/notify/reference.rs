//! Entries of a ReferenceList, compiled: whether one covers what happened is told from the path of that,
//! without looking through the data model. (TR-181 2.19, Device.LocalAgent.Subscription.{i}.ReferenceList)
//!
//! Only a search has to be evaluated, on the one row that it is about, and a reference to follow has to be
//! followed. Nothing here reads values.

use usphere_datamodel::SchemaView;
use usphere_datamodel::path::{End, Expression, Path, Segment};

use super::matter::{Kind, Matter};

/// One entry of a ReferenceList.
#[derive(Debug)]
pub(crate) struct Reference {
    pub(super) path: Path,
    /// The supported path of what it names, rows as `{i}`; of a table, that of its rows. Empty where a
    /// reference has to be followed first.
    pub(super) place: Box<str>,
    /// Which rows of each table on the way, the outermost first.
    steps: Vec<Step>,
    /// Whether everything below is meant, too; of what is followed, its end says so.
    below: bool,
}

#[derive(Debug)]
enum Step {
    Any,
    Row(u32),
    Search(Expression),
}

/// Whether a reference covers what happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cover {
    /// Only if these references lead there.
    IfFollowed,
    /// Only if its searches hold.
    IfFound,
    No,
    Yes,
}

impl Reference {
    /// Compiles an entry of the ReferenceList of a Subscription of this kind.
    ///
    /// # Errors
    /// Why it is none, for people.
    pub(crate) fn compile(text: &str, kind: Kind, view: &SchemaView) -> Result<Self, String> {
        let path = Path::parse(text).map_err(|error| error.to_string())?;
        let (mut place, mut steps) = (String::new(), Vec::new());
        for segment in &path.segments {
            let step = match segment {
                Segment::Name(name) => {
                    place.push_str(name);
                    place.push('.');
                    continue;
                }
                Segment::Instance(number) => Step::Row(*number),
                Segment::Search(expression) => Step::Search(expression.clone()),
                Segment::Wildcard => Step::Any,
                Segment::Placeholder => {
                    return Err("name an instance or all by \"*\", not {i}".to_owned());
                }
                Segment::Follow { .. } => return Self::following(path, kind),
            };
            place.push_str("{i}.");
            steps.push(step);
        }
        let below = match &path.end {
            End::Command(name) | End::Event(name) => {
                place.push_str(name);
                false
            }
            End::Parameter(name) => {
                place.push_str(name);
                // The last dot may be left out.
                if view.find(&place).is_none() {
                    place.push('.');
                }
                place.ends_with('.')
            }
            End::Object => true,
        };
        let mut reference = Self {
            path: if below { path.into_object() } else { path },
            place: place.into(),
            steps,
            below,
        };
        reference.fit(kind, view)?;
        Ok(reference)
    }

    /// Whether what it covers depends on values.
    pub(super) fn is_found(&self) -> bool {
        self.is_followed() || self.searches().next().is_some()
    }

    /// The supported path at and below which changes make a difference to what a search finds; empty for
    /// anywhere.
    pub(super) fn searched(&self) -> &str {
        let first = self.searches().next();
        first.map_or("", |(depth, _)| table_at(&self.place, depth))
    }

    /// The innermost row that it is about, 0 for any.
    pub(super) fn row(&self) -> u32 {
        match self.steps.last() {
            Some(Step::Row(number)) => *number,
            _ => 0,
        }
    }

    /// Whether it has to be followed before it is known what it names.
    pub(super) fn is_followed(&self) -> bool {
        self.place.is_empty()
    }

    /// Whether it covers `matter`, which happened at the supported path `place`.
    pub(super) fn covers(&self, matter: &Matter, place: &str) -> Cover {
        if self.is_followed() {
            return self.may_lead_to(place);
        }
        let here = if self.below {
            place.starts_with(&*self.place)
        } else {
            *place == *self.place
        };
        if !here || matter.rows.len() < self.steps.len() {
            return Cover::No;
        }
        let mut cover = Cover::Yes;
        for (step, row) in self.steps.iter().zip(&matter.rows) {
            match step {
                Step::Any => {}
                Step::Row(number) if number == row => {}
                Step::Row(_) => return Cover::No,
                Step::Search(_) => cover = Cover::IfFound,
            }
        }
        cover
    }

    /// Whether it may be about the member or table at the supported path `place` of any object.
    pub(super) fn may_be_about(&self, place: &str) -> bool {
        if self.is_followed() {
            self.path.end != End::Object && self.may_lead_to(place) == Cover::IfFollowed
        } else if self.below {
            place.starts_with(&*self.place)
        } else {
            *place == *self.place
        }
    }

    /// The searches of its steps, each with how many tables are on the way to the row that it is about.
    pub(super) fn searches(&self) -> impl Iterator<Item = (usize, &Expression)> {
        let steps = self.steps.iter().enumerate();
        steps.filter_map(|(at, step)| match step {
            Step::Search(expression) => Some((at + 1, expression)),
            Step::Any | Step::Row(_) => None,
        })
    }

    fn following(path: Path, kind: Kind) -> Result<Self, String> {
        let fits = match &path.end {
            End::Command(_) => kind == Kind::OperationComplete,
            End::Event(_) => kind == Kind::Event,
            End::Object => true,
            End::Parameter(_) => kind == Kind::ValueChange,
        };
        if !fits {
            return Err(format!("this is nothing for {kind}"));
        }
        Ok(Self {
            path,
            place: Box::default(),
            steps: Vec::new(),
            below: false,
        })
    }

    /// What it names once it is followed ends like this.
    fn may_lead_to(&self, place: &str) -> Cover {
        let fits = match &self.path.end {
            End::Command(name) | End::Event(name) | End::Parameter(name) => {
                place.rsplit('.').next() == Some(&**name)
            }
            End::Object => true,
        };
        if fits { Cover::IfFollowed } else { Cover::No }
    }

    /// Checks that it names what Subscriptions of `kind` are about. (TR-181 2.19)
    fn fit(&mut self, kind: Kind, view: &SchemaView) -> Result<(), String> {
        let node = view
            .find(&self.place)
            .ok_or("the supported data model has no such path")?;
        self.check_searches(view)?;
        let table = node.object().is_some_and(|object| object.table);
        let fits = match kind {
            Kind::Event => self.below || node.event().is_some(),
            Kind::ObjectCreation | Kind::ObjectDeletion => {
                if table && !self.place.ends_with("{i}.") {
                    self.place = format!("{}{{i}}.", self.place).into();
                    self.steps.push(Step::Any);
                }
                self.below = false;
                table
            }
            Kind::OperationComplete => self.below || node.command().is_some(),
            Kind::ValueChange => self.below || node.parameter().is_some(),
        };
        if fits {
            return Ok(());
        }
        Err(match kind {
            Kind::ObjectCreation | Kind::ObjectDeletion => {
                format!("{kind} is about tables and their rows")
            }
            _ => format!("this is nothing for {kind}"),
        })
    }

    /// Checks what can be judged without a row: that what is compared exists and can be compared so.
    fn check_searches(&self, view: &SchemaView) -> Result<(), String> {
        for (depth, expression) in self.searches() {
            let table = table_at(&self.place, depth);
            for comparison in &expression.comparisons {
                let mut path = table.to_owned();
                let mut known = true;
                for segment in &comparison.path.segments {
                    match segment {
                        Segment::Name(name) => path.extend([name, "."]),
                        _ => known = false,
                    }
                }
                if !known {
                    continue;
                }
                path.push_str(&comparison.path.parameter);
                let parameter = view.find(&path).and_then(|node| node.parameter());
                let parameter = parameter
                    .ok_or_else(|| format!("{path}: the search names what is not supported"))?;
                parameter
                    .value_type
                    .check_comparison(comparison)
                    .map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// The supported path of the rows of the table that is the `depth`th on the way to `place`.
fn table_at(place: &str, depth: usize) -> &str {
    let mut ends = place.match_indices("{i}.");
    let end = ends.nth(depth - 1).map_or(place.len(), |(at, _)| at + 4);
    &place[..end]
}
