//! Fields that the org computes: formulas and roll-ups, who depends on whom, and in which order.

use super::Schema;
use super::field::OnDelete;
use super::spec::{SummaryFunction, SummarySpec};
use crate::formula::Formula;
use std::collections::HashSet;
use std::sync::Arc;

/// How a field is computed.
#[derive(Debug, Clone)]
pub enum Calculation {
    /// From the record and its parents.
    Formula(Formula),
    /// From its children.
    Summary(Summary),
}

/// A roll-up with its names looked up.
#[derive(Debug, Clone)]
pub struct Summary {
    /// Object of the children.
    pub child: usize,
    /// Their reference field to the parent.
    pub reference: usize,
    /// What is made of them.
    pub function: SummaryFunction,
    /// Field of the children; none for a count.
    pub field: Option<usize>,
    /// Which children count.
    pub filter: Option<Formula>,
}

/// A formula field elsewhere that reads a field of this object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// Position of the field that is read here.
    pub reads: usize,
    /// Objects and reference fields from here down to the records with the formula.
    pub down: Vec<(usize, usize)>,
}

/// A field by object and position.
type Place = (usize, usize);

impl Schema {
    /// Compiles formulas and roll-ups and notes who depends on whom.
    ///
    /// # Errors
    /// Names the field whose formula or roll-up does not fit, or that depends on itself.
    pub(super) fn link_calculations(&mut self) -> Result<(), String> {
        let calculated: Vec<Place> = self
            .objects
            .iter()
            .enumerate()
            .flat_map(|(o, object)| (0..object.fields.len()).map(move |f| (o, f)))
            .filter(|(o, f)| self.objects[*o].fields[*f].calculated())
            .collect();
        for (object, field) in &calculated {
            let name = format!(
                "{}.{}",
                self.objects[*object].name, self.objects[*object].fields[*field].name
            );
            let calculation = self
                .compiled((*object, *field))
                .map_err(|why| format!("{name}: {why}"))?;
            self.objects[*object].fields[*field].calculation = Some(Arc::new(calculation));
        }
        let mut done = HashSet::new();
        for place in &calculated {
            self.order(*place, &mut done, &mut Vec::new())?;
        }
        for place in calculated {
            self.note_dependents(place);
        }
        Ok(())
    }

    fn compiled(&self, (object, field): Place) -> Result<Calculation, String> {
        let spec = &self.objects[object].fields[field];
        if let Some(text) = &spec.formula {
            let formula = Formula::compile(self, object, text)?;
            return match formula.unstable() {
                Some(function) => Err(format!(
                    "{function}() cannot stand in a field's formula here, since its value would change without a write"
                )),
                None => Ok(Calculation::Formula(formula)),
            };
        }
        match &spec.summary {
            Some(summary) => self.summary(object, summary).map(Calculation::Summary),
            None => Err("it has neither formula nor summary".into()),
        }
    }

    fn summary(&self, object: usize, spec: &SummarySpec) -> Result<Summary, String> {
        let parent = self.at(object);
        let list = parent
            .child_list(&spec.children)
            .ok_or_else(|| format!("{} has no child list {}", parent.name, spec.children))?;
        let child = self.at(list.object);
        let reference = child.fields[list.field].reference.as_ref();
        if reference.is_none_or(|r| r.on_delete != OnDelete::Cascade) {
            return Err(format!(
                "{} are no details of {}: only children that are deleted with it can be summed up",
                spec.children, parent.name
            ));
        }
        let field = match (&spec.field, spec.function) {
            (None, SummaryFunction::Count) => None,
            (None, _) => return Err("a sum, min or max needs a field".into()),
            (Some(name), _) => Some(
                child
                    .position(name)
                    .ok_or_else(|| format!("{} has no field {name}", child.name))?,
            ),
        };
        let filter = spec.filter.as_ref();
        Ok(Summary {
            child: list.object,
            reference: list.field,
            function: spec.function,
            field,
            filter: filter
                .map(|text| Formula::compile(self, list.object, text))
                .transpose()?,
        })
    }

    /// Puts a formula into its object's order, after those it reads.
    fn order(
        &mut self,
        place: Place,
        done: &mut HashSet<Place>,
        open: &mut Vec<Place>,
    ) -> Result<(), String> {
        if open.contains(&place) {
            let object = &self.objects[place.0];
            return Err(format!(
                "{}.{} depends on itself",
                object.name, object.fields[place.1].name
            ));
        }
        if done.contains(&place) {
            return Ok(());
        }
        open.push(place);
        for read in self.reads(place) {
            if self.objects[read.0].fields[read.1].calculated() {
                self.order(read, done, open)?;
            }
        }
        open.pop();
        done.insert(place);
        if self.objects[place.0].fields[place.1].formula.is_some() {
            self.objects[place.0].formulas.push(place.1);
        }
        Ok(())
    }

    /// Every field that a calculated field reads at the end of its paths.
    fn reads(&self, (object, field): Place) -> Vec<Place> {
        let ends = |formula: &Formula, object: usize| -> Vec<Place> {
            let end = |path: &crate::formula::FieldPath| {
                (path.hops.last().map_or(object, |(_, target)| *target), path.field)
            };
            formula.paths().iter().map(end).collect()
        };
        match self.objects[object].fields[field].calculation.as_deref() {
            Some(Calculation::Formula(formula)) => ends(formula, object),
            Some(Calculation::Summary(summary)) => {
                let mut all: Vec<Place> = summary.field.map(|f| (summary.child, f)).into_iter().collect();
                all.extend(summary.filter.iter().flat_map(|f| ends(f, summary.child)));
                all
            }
            None => Vec::new(),
        }
    }

    fn note_dependents(&mut self, (object, field): Place) {
        let calculation = self.objects[object].fields[field].calculation.clone();
        match calculation.as_deref() {
            Some(Calculation::Formula(formula)) => {
                for path in formula.paths() {
                    self.note_path(object, path);
                }
            }
            Some(Calculation::Summary(summary)) => {
                self.objects[summary.child].summed_by.push((object, field));
            }
            None => {}
        }
    }

    /// A path reads a field of every object that it passes.
    fn note_path(&mut self, object: usize, path: &crate::formula::FieldPath) {
        let mut down: Vec<(usize, usize)> = Vec::new();
        let mut child = object;
        for (n, (reference, parent)) in path.hops.iter().enumerate() {
            down.insert(0, (child, *reference));
            let reads = path.hops.get(n + 1).map_or(path.field, |(next, _)| *next);
            let dependent = Dependent {
                reads,
                down: down.clone(),
            };
            let known = &mut self.objects[*parent].dependents;
            if !known.contains(&dependent) {
                known.push(dependent);
            }
            child = *parent;
        }
    }
}
