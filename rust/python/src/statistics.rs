//! How long the steps from an image to its detections took, in histograms of fixed size: an image more costs no memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hdrhistogram::{CreationError, Histogram};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Letterbox, wait, network, post-processing.
const STEPS: usize = 4;

const FRACTIONS: [f64; 3] = [0.5, 0.95, 0.99];

/// What takes longer counts as an hour.
const MAX_NANOSECONDS: u64 = 3_600_000_000_000;

/// Quantiles are right to one per cent.
const DIGITS: u8 = 2;

type Histograms = [Histogram<u64>; STEPS];

/// The times of all images. The lock is taken only while the GIL is held, so nobody waits for it, and a process that is
/// forked never finds it locked.
#[pyclass(frozen, module = "yoloxfast._core")]
pub(crate) struct Times(Mutex<Histograms>);

#[pymethods]
impl Times {
    #[new]
    fn new() -> PyResult<Self> {
        let histogram = || Histogram::new_with_max(MAX_NANOSECONDS, DIGITS);
        let histograms =
            || -> Result<Histograms, CreationError> { Ok([histogram()?, histogram()?, histogram()?, histogram()?]) };
        Ok(Self(Mutex::new(histograms().map_err(|error| PyRuntimeError::new_err(error.to_string()))?)))
    }

    /// Adds images that were processed together. The seconds are those of all; each image counts with its share.
    fn record(&self, images: u32, letterbox: f64, wait: f64, network: f64, post_processing: f64) {
        let share = 1e9 / f64::from(images.max(1));
        for (histogram, seconds) in self.lock().iter_mut().zip([letterbox, wait, network, post_processing]) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is meant")]
            histogram.saturating_record_n((seconds * share) as u64, images.into());
        }
    }

    /// Counts the images.
    fn count(&self) -> u64 {
        self.lock()[0].len()
    }

    /// For each step, the seconds within which these fractions of the images were done; NaN without images.
    fn percentiles(&self) -> [[f64; FRACTIONS.len()]; STEPS] {
        #[expect(clippy::cast_precision_loss, reason = "an hour of nanoseconds is below 2^53")]
        let quantile = |histogram: &Histogram<u64>, fraction: f64| match histogram.len() {
            0 => f64::NAN,
            _ => histogram.median_equivalent(histogram.value_at_quantile(fraction)) as f64 / 1e9,
        };
        self.lock().each_ref().map(|histogram| FRACTIONS.map(|fraction| quantile(histogram, fraction)))
    }

    /// Forgets all images.
    fn reset(&self) {
        self.lock().iter_mut().for_each(Histogram::reset);
    }
}

impl Times {
    fn lock(&self) -> MutexGuard<'_, Histograms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
