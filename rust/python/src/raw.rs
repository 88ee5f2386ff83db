//! Raw outputs from Python: NumPy arrays in one of the layouts that exporters give them, viewed as the core takes them.

use half::f16;
use numpy::ndarray::IxDyn;
use numpy::{PyArrayDescrMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use yoloxfast_core::{BOX_COLUMNS, Element, Error, LABELLED_COLUMNS, Part, Planes, RawOutput, Rows};

use crate::arguments::{borrow, repr, shape_of, untyped};
use crate::error::to_py;

/// Planes that lie apart in a level of split maps: boxes, objectness, class scores.
const SPLIT: usize = 3;

/// How the numbers of one image lie in arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// One array (anchors, 5 + classes).
    Rows,
    /// One array (5 + classes, anchors).
    ChannelsFirst,
    /// One array (5 + classes, rows, columns) for each level.
    Maps,
    /// One array (rows, columns, 5 + classes) for each level.
    PixelMaps,
    /// Three arrays (4, rows, columns), (1, rows, columns), (classes, rows, columns) for each level.
    SplitMaps,
    /// One array (anchors, 6): corners, score and class id.
    Labelled,
    /// The same, of any number of detections.
    Finished,
}

impl Layout {
    const ALL: [(&'static str, Self); 7] = [
        ("rows", Self::Rows),
        ("channels-first", Self::ChannelsFirst),
        ("maps", Self::Maps),
        ("pixel-maps", Self::PixelMaps),
        ("split-maps", Self::SplitMaps),
        ("labelled", Self::Labelled),
        ("finished", Self::Finished),
    ];

    pub(crate) fn named(name: &Bound<'_, PyAny>) -> PyResult<Self> {
        let text: String = name.extract().unwrap_or_default();
        let found = Self::ALL.iter().find(|(other, _)| *other == text).map(|(_, layout)| *layout);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| format!("'{name}'")).join(", ");
            PyValueError::new_err(format!("layout is {}, expected {names}", repr(name)))
        })
    }

    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, layout)| *layout == self).map_or("", |(name, _)| *name)
    }

    /// Whether a raw output is an array, and not a list of them.
    fn is_one_array(self) -> bool {
        !matches!(self, Self::Maps | Self::PixelMaps | Self::SplitMaps)
    }

    /// The arrays of one image on these levels (rows and columns of each); `None` stands for any length.
    fn shapes(self, levels: &[[usize; 2]], columns: usize) -> Vec<Vec<Option<usize>>> {
        let anchors = levels.iter().map(|[rows, columns]| rows * columns).sum();
        let shapes = match self {
            Self::Rows => vec![vec![anchors, columns]],
            Self::ChannelsFirst => vec![vec![columns, anchors]],
            Self::Maps => levels.iter().map(|[y, x]| vec![columns, *y, *x]).collect(),
            Self::PixelMaps => levels.iter().map(|[y, x]| vec![*y, *x, columns]).collect(),
            Self::SplitMaps => {
                let of_level = |y, x| [vec![4, y, x], vec![1, y, x], vec![columns - BOX_COLUMNS, y, x]];
                levels.iter().flat_map(|[y, x]| of_level(*y, *x)).collect()
            }
            Self::Labelled => vec![vec![anchors, LABELLED_COLUMNS]],
            Self::Finished => return vec![vec![None, Some(LABELLED_COLUMNS)]],
        };
        shapes.into_iter().map(|shape| shape.into_iter().map(Some).collect()).collect()
    }

    /// What one image of these arrays is, for errors.
    fn expected(self) -> &'static str {
        match self {
            Self::Rows => "(anchors, 5 + classes)",
            Self::ChannelsFirst => "(5 + classes, anchors)",
            Self::Maps => "one (5 + classes, rows, columns) for each level",
            Self::PixelMaps => "one (rows, columns, 5 + classes) for each level",
            Self::SplitMaps => "(4, rows, columns), (1, rows, columns) and (classes, rows, columns) for each level",
            Self::Labelled => "(anchors, 6)",
            Self::Finished => "(detections, 6)",
        }
    }
}

/// The arrays of a raw output, of one image or of a batch.
pub(crate) enum RawArrays<'py> {
    Single(Arrays<'py, f32>),
    Half(Arrays<'py, f16>),
}

/// Arrays of one dtype.
pub(crate) struct Arrays<'py, T: numpy::Element> {
    borrowed: Vec<PyReadonlyArrayDyn<'py, T>>,
    layout: Layout,
    images: usize,
}

/// What a model's raw outputs look like.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) layout: Layout,
    /// Rows and columns of each level.
    pub(crate) levels: &'a [[usize; 2]],
    /// Numbers of an anchor.
    pub(crate) columns: usize,
    pub(crate) is_batch: bool,
}

impl<'py> RawArrays<'py> {
    /// Borrows arrays of these shapes, which are checked before anything is copied. Rows are checked by `check_rows`,
    /// which knows what the model has.
    pub(crate) fn borrow(
        raw: &Bound<'py, PyAny>,
        expected: Expected<'_>,
        check_rows: impl FnOnce(usize, usize) -> Result<(), Error>,
    ) -> PyResult<Self> {
        let layout = expected.layout;
        let arrays = if layout.is_one_array() { vec![raw.clone()] } else { several(raw, expected)? };
        let untyped: Vec<_> = arrays.iter().map(|array| untyped(array, "raw output")).collect::<PyResult<_>>()?;
        if layout == Layout::Rows {
            check_rank(untyped[0], expected)?;
            if let [.., anchors, columns] = untyped[0].shape() {
                check_rows(*anchors, *columns).map_err(to_py)?;
            }
        } else {
            for (array, shape) in untyped.iter().zip(layout.shapes(expected.levels, expected.columns)) {
                check_shape(array, &shape, expected)?;
            }
        }
        let images = if expected.is_batch { untyped[0].shape()[0] } else { 1 };
        if let Some(other) = untyped.iter().find(|array| expected.is_batch && array.shape()[0] != images) {
            let message = format!("raw output has {images} images in one array, {} in another", other.shape()[0]);
            return Err(PyValueError::new_err(message));
        }
        let dtype = untyped[0].dtype();
        if dtype.is_equiv_to(&numpy::dtype::<f32>(raw.py())) {
            Ok(Self::Single(Arrays { borrowed: borrow_all(&arrays)?, layout, images }))
        } else if dtype.is_equiv_to(&numpy::dtype::<f16>(raw.py())) {
            Ok(Self::Half(Arrays { borrowed: borrow_all(&arrays)?, layout, images }))
        } else {
            Err(PyTypeError::new_err(format!("raw output has dtype {dtype}, expected float32 or float16")))
        }
    }
}

impl<T: Element + numpy::Element> Arrays<'_, T> {
    /// Number of images.
    pub(crate) fn images(&self) -> usize {
        self.images
    }

    /// The only array as rows.
    pub(crate) fn rows(&self) -> PyResult<Rows<'_, T>> {
        let (array, shape) = (&self.borrowed[0], self.borrowed[0].shape());
        Rows::new(array.as_slice()?, shape[shape.len() - 2], shape[shape.len() - 1]).map_err(to_py)
    }

    /// The parts of all images, those of one after those of another.
    pub(crate) fn parts(&self) -> PyResult<Vec<Part<'_, T>>> {
        let of_image = |image| self.borrowed.chunks(self.arrays_per_part()).map(move |arrays| self.part(arrays, image));
        (0..self.images).flat_map(of_image).collect()
    }

    fn part<'a>(&self, arrays: &'a [PyReadonlyArrayDyn<'_, T>], image: usize) -> PyResult<Part<'a, T>> {
        let of_image = |array: &'a PyReadonlyArrayDyn<'_, T>| -> PyResult<&'a [T]> {
            let values = array.as_slice()?;
            let size = values.len() / self.images;
            Ok(&values[image * size..][..size])
        };
        if let [boxes, objectness, class_scores] = arrays {
            let planes = Planes::apart(of_image(boxes)?, of_image(objectness)?, of_image(class_scores)?);
            return planes.map(Part::Planes).map_err(to_py);
        }
        let (values, shape) = (of_image(&arrays[0])?, arrays[0].shape());
        let part = match (self.layout, shape) {
            (Layout::ChannelsFirst, [.., columns, anchors]) => {
                Planes::new(values, *columns, *anchors).map(Part::Planes)
            }
            (Layout::Maps, [.., columns, y, x]) => Planes::new(values, *columns, y * x).map(Part::Planes),
            (Layout::PixelMaps, [.., y, x, columns]) => Rows::new(values, y * x, *columns).map(Part::Rows),
            (_, [.., anchors, columns]) => Rows::new(values, *anchors, *columns).map(Part::Rows),
            _ => Rows::new(values, 0, 0).map(Part::Rows),
        };
        part.map_err(to_py)
    }

    /// How many parts of one image there are.
    pub(crate) fn parts_per_image(&self) -> usize {
        self.borrowed.len() / self.arrays_per_part()
    }

    fn arrays_per_part(&self) -> usize {
        if self.layout == Layout::SplitMaps { SPLIT } else { 1 }
    }

    /// The raw output that the parts of one image make up.
    pub(crate) fn raw_output<'a>(&self, parts: &'a [Part<'a, T>]) -> RawOutput<'a, T> {
        let is_labelled = matches!(self.layout, Layout::Labelled | Layout::Finished);
        match parts {
            [Part::Rows(rows)] if is_labelled => RawOutput::Labelled(*rows),
            [part] => RawOutput::Whole(*part),
            _ => RawOutput::Parts(parts),
        }
    }
}

fn several<'py>(raw: &Bound<'py, PyAny>, expected: Expected<'_>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let count = expected.layout.shapes(expected.levels, expected.columns).len();
    let wanted = || format!("expected a list of {count} arrays: {}", expected.layout.expected());
    if raw.cast::<PyUntypedArray>().is_ok() {
        return Err(PyTypeError::new_err(format!("raw output is one array, {}", wanted())));
    }
    let arrays: Vec<Bound<'py, PyAny>> =
        raw.extract().map_err(|_| PyTypeError::new_err(format!("raw output is {}, {}", repr(raw), wanted())))?;
    if arrays.len() == count {
        return Ok(arrays);
    }
    Err(PyValueError::new_err(format!("raw output is {} arrays, {}", arrays.len(), wanted())))
}

fn check_rank(array: &Bound<'_, PyUntypedArray>, expected: Expected<'_>) -> PyResult<()> {
    let rank = 2 + usize::from(expected.is_batch);
    if array.ndim() == rank {
        return Ok(());
    }
    let expected = if expected.is_batch {
        "(batch, anchors, 5 + classes)"
    } else {
        "(anchors, 5 + classes): pass one image of a batch, raw[0], or call batch"
    };
    Err(PyValueError::new_err(format!("raw output has shape {}, expected {expected}", shape_of(array.shape()))))
}

fn check_shape(array: &Bound<'_, PyUntypedArray>, shape: &[Option<usize>], expected: Expected<'_>) -> PyResult<()> {
    let any = [None];
    let batch = if expected.is_batch { &any[..] } else { &[] };
    let wanted = || batch.iter().chain(shape);
    let fits = |(actual, wanted): (&usize, &Option<usize>)| wanted.is_none_or(|wanted| wanted == *actual);
    if array.ndim() == wanted().count() && array.shape().iter().zip(wanted()).all(fits) {
        return Ok(());
    }
    let sides: Vec<_> = wanted().map(|side| side.map_or_else(|| "any".to_owned(), |side| side.to_string())).collect();
    let (actual, layout) = (shape_of(array.shape()), expected.layout);
    let message = format!(
        "raw output has shape {actual}, expected ({}) in layout '{}': {}",
        sides.join(", "),
        layout.name(),
        layout.expected()
    );
    Err(PyValueError::new_err(message))
}

fn borrow_all<'py, T: numpy::Element>(arrays: &[Bound<'py, PyAny>]) -> PyResult<Vec<PyReadonlyArrayDyn<'py, T>>> {
    arrays.iter().map(|array| borrow::<T, IxDyn>(array, "raw output")).collect()
}
