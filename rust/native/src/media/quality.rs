//! The rules that a call's quality is judged by.
use pyo3::prelude::*;
use trivox_media::watch::RULES;

type RuleTuple = (&'static str, f64, f64, f64, u32, u32);

#[pyfunction]
pub(super) fn quality_rules() -> Vec<RuleTuple> {
    let plain = RULES.iter().map(|rule| {
        (
            rule.name,
            rule.warning,
            rule.critical,
            rule.clears,
            rule.raise_after,
            rule.clear_after,
        )
    });
    plain.collect()
}
