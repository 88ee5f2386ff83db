//! The same numbers in each form that exporters give them: the detections are those of raw rows.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounding is meant, numbers are small"
)]

#[allow(dead_code, reason = "the twins of other tests")]
mod naive;
mod strategies;

use half::f16;
use naive::{Wishes, fit};
use proptest::prelude::*;
use strategies::{ANCHORS, LEVELS, post, post_at, raw_output, wishes};
use yoloxfast_core::{
    BOX_COLUMNS, Detections, Element, Error, Form, LABELLED_COLUMNS, Level, Options, Part, Planes, RawOutput, Rows,
    Semantics,
};

fn transposed<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

/// The rows of each level.
fn levels<T>(raw: &[T], columns: usize) -> impl Iterator<Item = &[T]> {
    LEVELS.iter().scan(0, move |first, anchors| {
        let rows = &raw[*first * columns..][..anchors * columns];
        *first += anchors;
        Some(rows)
    })
}

/// Decoded rows. Those with a number that is not finite are NaN, or else decoding might make it one that is.
fn decoded(raw: &[f32], num_classes: usize) -> Vec<f32> {
    let columns = BOX_COLUMNS + num_classes;
    let mut decoded = post(num_classes).decode(Rows::new(raw, ANCHORS, columns).unwrap()).unwrap();
    for (row, raw) in decoded.chunks_mut(columns).zip(raw.chunks(columns)) {
        if raw.iter().any(|value| !value.is_finite()) {
            row.fill(f32::NAN);
        }
    }
    decoded
}

fn run<'a, T: Element + 'a>(
    level: Level,
    form: Form,
    raw: impl Into<RawOutput<'a, T>>,
    num_classes: usize,
    wishes: &Wishes,
) -> Result<Detections, Error> {
    post_at(level, num_classes).form(form).run(raw, fit(1.5), &wishes.options(num_classes))
}

fn assert_same_in_each_layout<T: Element>(raw: &[T], num_classes: usize, form: Form, wishes: &Wishes) {
    let columns = BOX_COLUMNS + num_classes;
    let expected = run(Level::SCALAR, form, Rows::new(raw, ANCHORS, columns).unwrap(), num_classes, wishes);
    let planes = transposed(raw, columns);
    let maps: Vec<Vec<T>> = levels(raw, columns).map(|rows| transposed(rows, columns)).collect();
    let rows_of_levels = levels(raw, columns);
    let rows: Vec<Part<'_, T>> =
        rows_of_levels.map(|rows| Part::Rows(Rows::new(rows, rows.len() / columns, columns).unwrap())).collect();
    let whole: Vec<Part<'_, T>> =
        maps.iter().map(|map| Part::Planes(Planes::new(map, columns, map.len() / columns).unwrap())).collect();
    let apart: Vec<Part<'_, T>> = maps
        .iter()
        .map(|map| {
            let (boxes, scores) = map.split_at(map.len() / columns * 4);
            let (objectness, class_scores) = scores.split_at(map.len() / columns);
            Part::Planes(Planes::apart(boxes, objectness, class_scores).unwrap())
        })
        .collect();
    let channels_first = RawOutput::from(Planes::new(&planes, columns, ANCHORS).unwrap());
    for raw in [channels_first, RawOutput::Parts(&rows), RawOutput::Parts(&whole), RawOutput::Parts(&apart)] {
        for level in Level::available() {
            assert_eq!(run(level, form, raw, num_classes, wishes), expected, "{level:?}");
        }
    }
}

proptest! {
    #[test]
    fn layouts_make_no_difference((num_classes, raw) in raw_output(), wishes in wishes()) {
        let narrow: Vec<f16> = raw.iter().map(|&value| f16::from_f32(value)).collect();
        assert_same_in_each_layout(&raw, num_classes, Form::default(), &wishes);
        assert_same_in_each_layout(&narrow, num_classes, Form::default(), &wishes);
    }

    #[test]
    fn decoded_boxes_are_left_as_they_are((num_classes, raw) in raw_output(), wishes in wishes()) {
        let columns = BOX_COLUMNS + num_classes;
        let rows = Rows::new(&raw, ANCHORS, columns).unwrap();
        let decoded = decoded(&raw, num_classes);
        let form = Form { decoded: true, ..Form::default() };
        let expected = run(Level::SCALAR, Form::default(), rows, num_classes, &wishes);
        for level in Level::available() {
            let rows = Rows::new(&decoded, ANCHORS, columns).unwrap();
            prop_assert_eq!(&run(level, form, rows, num_classes, &wishes), &expected, "{:?}", level);
        }
        assert_same_in_each_layout(&decoded, num_classes, form, &wishes);
    }

    #[test]
    fn the_sigmoid_is_made_up_for(
        (num_classes, mut raw) in raw_output(),
        wishes in wishes(),
        factor in prop::sample::select(vec![0.0_f32, 1.0, 8.0, 50.0]),
    ) {
        let columns = BOX_COLUMNS + num_classes;
        for row in raw.chunks_mut(columns) {
            row[4..].iter_mut().for_each(|logit| *logit = (*logit - 0.5) * factor);
        }
        let mut scores = raw.clone();
        for row in scores.chunks_mut(columns) {
            for logit in &mut row[4..] {
                let score = 1.0 / (1.0 + (-f64::from(*logit)).exp());
                *logit = if logit.is_finite() { score as f32 } else { f32::NAN };
            }
        }
        let expected = run(Level::SCALAR, Form::default(), Rows::new(&scores, ANCHORS, columns).unwrap(), num_classes, &wishes);
        let form = Form { logits: true, ..Form::default() };
        for level in Level::available() {
            let rows = Rows::new(&raw, ANCHORS, columns).unwrap();
            prop_assert_eq!(&run(level, form, rows, num_classes, &wishes), &expected, "{:?}", level);
        }
        assert_same_in_each_layout(&raw, num_classes, form, &wishes);
        let narrow: Vec<f16> = raw.iter().map(|&value| f16::from_f32(value)).collect();
        assert_same_in_each_layout(&narrow, num_classes, form, &wishes);
    }

    #[test]
    fn columns_behind_the_classes_are_not_looked_at(
        (num_classes, raw) in raw_output(),
        wishes in wishes(),
        others in prop::collection::vec(prop::sample::select(vec![f32::NAN, -7.0, 0.0, 700.0]), 1..4),
    ) {
        let columns = BOX_COLUMNS + num_classes;
        let expected = run(Level::SCALAR, Form::default(), Rows::new(&raw, ANCHORS, columns).unwrap(), num_classes, &wishes);
        let wide: Vec<f32> = raw.chunks(columns).flat_map(|row| [row, &others].concat()).collect();
        let form = Form { extra_columns: others.len(), ..Form::default() };
        for level in Level::available() {
            let rows = Rows::new(&wide, ANCHORS, columns + others.len()).unwrap();
            prop_assert_eq!(&run(level, form, rows, num_classes, &wishes), &expected, "{:?}", level);
            let planes = transposed(&wide, columns + others.len());
            let planes = Planes::new(&planes, columns + others.len(), ANCHORS).unwrap();
            prop_assert_eq!(&run(level, form, planes, num_classes, &wishes), &expected, "{:?}", level);
        }
    }

    #[test]
    fn labelled_anchors_are_suppressed_like_others((num_classes, mut raw) in raw_output(), wishes in wishes()) {
        let semantics = if wishes.class_agnostic { Semantics::Demo } else { Semantics::Eval };
        let wishes = Wishes { semantics, ..wishes };
        let columns = BOX_COLUMNS + num_classes;
        for row in raw.chunks_mut(columns) {
            row[4..].iter_mut().for_each(|score| *score = if *score > 1.0 { 1.0 } else { *score });
        }
        let rows = Rows::new(&raw, ANCHORS, columns).unwrap();
        let expected = run(Level::SCALAR, Form::default(), rows, num_classes, &wishes);
        prop_assume!(expected.is_ok());
        let decoded = decoded(&raw, num_classes);
        let labelled: Vec<f32> = decoded.chunks(columns).flat_map(labelled).collect();
        for level in Level::available() {
            let raw = RawOutput::Labelled(Rows::new(&labelled, ANCHORS, LABELLED_COLUMNS).unwrap());
            prop_assert_eq!(&run(level, Form::default(), raw, num_classes, &wishes), &expected, "{:?}", level);
        }
    }
}

/// The row of the best class.
fn labelled(row: &[f32]) -> [f32; 6] {
    let (class_scores, [cx, cy, w, h]) = (&row[BOX_COLUMNS..], [row[0], row[1], row[2], row[3]]);
    let best = (1..class_scores.len()).fold(0, |best, i| if class_scores[i] > class_scores[best] { i } else { best });
    [cx - w / 2.0, cy - h / 2.0, cx + w / 2.0, cy + h / 2.0, row[4] * class_scores[best], best as f32]
}

const FINISHED: [[f32; 6]; 5] = [
    [0.0, 0.0, 8.0, 8.0, 0.5, 1.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, -1.0],
    [0.0, 0.0, 8.0, 8.0, 0.75, 1.0],
    [4.0, 4.0, 6.0, 7.0, 0.25, 0.0],
    [0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
];

fn finished(options: &Options) -> Result<Detections, Error> {
    let form = Form { finished: true, ..Form::default() };
    let rows = Rows::new(FINISHED.as_flattened(), FINISHED.len(), LABELLED_COLUMNS).unwrap();
    post(2).form(form).run(RawOutput::Labelled(rows), 2.0, options)
}

#[test]
fn finished_detections_are_put_in_order_and_rows_of_zeros_are_none() {
    for (score_threshold, count) in [(0.0, 3), (0.25, 3), (0.3, 2), (0.8, 0)] {
        let found = finished(&Options::new(2).unwrap().score_threshold(score_threshold).unwrap()).unwrap();
        assert_eq!(found.scores, [0.75, 0.5, 0.25][..count]);
        assert_eq!(found.class_ids, [1, 1, 0][..count]);
        assert_eq!(found.xyxy, [[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 3.0, 3.5]][..count]);
    }
}

#[test]
fn what_a_form_cannot_give_is_an_error() {
    let options = Options::new(2).unwrap();
    let rows = Rows::new(FINISHED.as_flattened(), FINISHED.len(), LABELLED_COLUMNS).unwrap();
    for semantics in [Semantics::OnnxDemoAware, Semantics::CppDemo] {
        let found = post(2).run(RawOutput::Labelled(rows), fit(1.0), &options.clone().semantics(semantics));
        assert_eq!(found, Err(Error::OnlyBestClass(semantics.name())));
    }
    let semantics = Semantics::Demo;
    assert_eq!(finished(&options.clone().semantics(semantics)), Err(Error::Finished(semantics.name())));
    let found = post(2).run(RawOutput::Labelled(rows), 1.0, &options);
    assert!(matches!(found, Err(Error::Anchors { actual: 5, expected: ANCHORS, .. })), "{found:?}");
    let narrow = Rows::new(FINISHED.as_flattened(), 6, 5).unwrap();
    assert_eq!(post(2).run(RawOutput::Labelled(narrow), 1.0, &options), Err(Error::LabelledColumns(5)));
    let found =
        post(2).run(Rows::new(&[0.0; ANCHORS * 7], ANCHORS, 7).unwrap(), 1.0, &options.semantics(Semantics::CppDemo));
    assert_eq!(found, Err(Error::NoImageSize("cpp-demo")));
}

#[test]
fn labels_that_are_no_class_are_errors() {
    let options = Options::new(2).unwrap();
    for label in [2.0, -1.0, 0.5, 1e30] {
        let mut rows = [[0.0, 0.0, 8.0, 8.0, 0.5, 1.0]; ANCHORS];
        rows[3][5] = label;
        let raw = RawOutput::Labelled(Rows::new(rows.as_flattened(), ANCHORS, LABELLED_COLUMNS).unwrap());
        let expected = Error::Label { anchor: 3, class_id: label, num_classes: 2 };
        assert_eq!(post(2).run(raw, 1.0, &options), Err(expected));
    }
}

#[test]
fn a_run_without_a_finite_row_is_an_error() {
    let options = Options::new(1).unwrap();
    for column in 0..6 {
        let mut raw = [0.5; ANCHORS * 6];
        raw.iter_mut().skip(column).step_by(6).for_each(|value| *value = f32::NAN);
        for logits in [false, true] {
            let form = Form { logits, ..Form::default() };
            let post = post(1).form(form);
            assert_eq!(post.run(Rows::new(&raw, ANCHORS, 6).unwrap(), 1.0, &options), Err(Error::NeverFinite));
            let planes = transposed(&raw, 6);
            assert_eq!(post.run(Planes::new(&planes, 6, ANCHORS).unwrap(), 1.0, &options), Err(Error::NeverFinite));
        }
        raw[6 * (ANCHORS - 1) + column] = 0.0;
        assert!(post(1).run(Rows::new(&raw, ANCHORS, 6).unwrap(), 1.0, &options).is_ok());
    }
}

#[test]
fn boxes_that_are_decoded_already_are_an_error() {
    let mut raw = [0.0; ANCHORS * 6];
    raw[3..6].copy_from_slice(&[40.0, 1.0, 1.0]);
    let rows = Rows::new(&raw, ANCHORS, 6).unwrap();
    assert_eq!(post(1).run(rows, 1.0, &Options::new(1).unwrap()), Err(Error::Decoded(40.0)));
    let form = Form { decoded: true, ..Form::default() };
    assert_eq!(post(1).form(form).run(rows, 1.0, &Options::new(1).unwrap()).unwrap().scores, [1.0]);
}
