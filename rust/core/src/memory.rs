//! Memory that the system may refuse.
//!
//! What is as large as a caller wants it to be is asked for here, and a refusal becomes an [`Error::Memory`]: where `Vec`
//! would end the process, which may serve others.

use crate::Error;

/// What was refused. A `Result` of it is returned in registers: with [`Error`] in its place, NMS of 100 boxes takes 1.03
/// of the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Refused {
    bytes: usize,
}

impl From<Refused> for Error {
    fn from(Refused { bytes }: Refused) -> Self {
        Self::Memory { bytes }
    }
}

/// Makes room for as many values more.
#[inline(always)]
pub(crate) fn reserve<T>(vector: &mut Vec<T>, additional: usize) -> Result<(), Refused> {
    match vector.try_reserve(additional) {
        Ok(()) => Ok(()),
        Err(_) => Err(refused::<T>(additional)),
    }
}

#[cold]
fn refused<T>(count: usize) -> Refused {
    Refused { bytes: count.saturating_mul(size_of::<T>()) }
}

/// Returns a vector without values that has room for `capacity` of them.
pub(crate) fn with_capacity<T>(capacity: usize) -> Result<Vec<T>, Refused> {
    let mut vector = Vec::new();
    match vector.try_reserve_exact(capacity) {
        Ok(()) => Ok(vector),
        Err(_) => Err(refused::<T>(capacity)),
    }
}

/// Appends a value.
#[inline(always)]
pub(crate) fn push<T>(vector: &mut Vec<T>, value: T) -> Result<(), Refused> {
    reserve(vector, 1)?;
    vector.push(value);
    Ok(())
}

/// Replaces the values of a vector.
pub(crate) fn refill<T>(vector: &mut Vec<T>, values: impl ExactSizeIterator<Item = T>) -> Result<(), Refused> {
    vector.clear();
    reserve(vector, values.len())?;
    vector.extend(values);
    Ok(())
}

/// Replaces the values of a vector by as many copies of one.
#[expect(clippy::disallowed_methods, reason = "there is room")]
pub(crate) fn fill<T: Clone>(vector: &mut Vec<T>, value: T, len: usize) -> Result<(), Refused> {
    vector.clear();
    reserve(vector, len)?;
    vector.resize(len, value);
    Ok(())
}

/// Collects values into a vector.
///
/// # Errors
/// [`Error::Memory`] if the system refuses the memory.
pub fn try_collect<T>(values: impl ExactSizeIterator<Item = T>) -> Result<Vec<T>, Error> {
    let mut vector = with_capacity(values.len())?;
    vector.extend(values);
    Ok(vector)
}

/// Returns a vector of copies of a value.
pub(crate) fn filled<T: Clone>(value: T, len: usize) -> Result<Vec<T>, Refused> {
    let mut vector = Vec::new();
    fill(&mut vector, value, len)?;
    Ok(vector)
}

/// Bytes that a vector holds on to.
pub(crate) fn bytes_of<T>(vector: &Vec<T>) -> usize {
    vector.capacity() * size_of::<T>()
}
