//! What is refused, and what just is not.

#![expect(clippy::unwrap_used, reason = "tests")]

use yoloxfast_core::{Error, Grid, Level, Options, PostProcessor, Rows, nms};

const ANCHORS: usize = 64 + 16 + 4;

fn post(num_classes: usize) -> PostProcessor {
    PostProcessor::new(Grid::new(32, 128, &[8, 16, 32]).unwrap(), num_classes, Level::best()).unwrap()
}

#[test]
fn a_class_score_of_a_quantized_network_may_exceed_one_by_a_step() {
    let mut raw = vec![0.0; ANCHORS * 6];
    raw[4..6].copy_from_slice(&[0.498, 1.004]);
    let options = Options::new(1).unwrap().score_threshold(0.4999).unwrap();
    let found = post(1).run(Rows::new(&raw, ANCHORS, 6).unwrap(), 1.0, &options).unwrap();
    assert_eq!(found.scores, [0.498 * 1.004]);
}

#[test]
fn scores_without_a_sigmoid_are_an_error() {
    let mut raw = vec![-7.0; ANCHORS * 6];
    raw[10..12].copy_from_slice(&[0.5, 2.5]);
    let found = post(1).run(Rows::new(&raw, ANCHORS, 6).unwrap(), 1.0, &Options::new(1).unwrap());
    assert_eq!(found.unwrap_err(), Error::ScoreAboveLimit { anchor: 1, score: 2.5 });
    let mut raw = vec![0.0; ANCHORS * 85];
    raw[70 * 85 + 4] = 2.5;
    let found = post(80).run(Rows::new(&raw, ANCHORS, 85).unwrap(), 1.0, &Options::new(80).unwrap());
    assert_eq!(found.unwrap_err(), Error::ScoreAboveLimit { anchor: 70, score: 2.5 });
}

#[test]
fn class_scores_are_not_looked_at_where_the_objectness_forbids_a_detection() {
    let options = Options::new(1).unwrap().score_threshold(0.5).unwrap();
    for (objectness, is_error) in [(0.4, false), (0.4705, false), (0.4706, true), (1.0, true), (-1.0, false)] {
        let mut raw = vec![0.0; ANCHORS * 6];
        raw[4..6].copy_from_slice(&[objectness, 9.0]);
        let found = post(1).run(Rows::new(&raw, ANCHORS, 6).unwrap(), 1.0, &options);
        let expected = if is_error { Err(Error::ScoreAboveLimit { anchor: 0, score: 9.0 }) } else { Ok(vec![]) };
        assert_eq!(found.map(|found| found.scores), expected);
    }
}

#[test]
fn broken_preconditions_are_errors() {
    let raw = vec![0.0_f32; ANCHORS * 6];
    for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        assert!(matches!(nms(Level::best(), &[], &[], None, value), Err(Error::Threshold { .. })));
    }
    for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let found = post(1).run(Rows::new(&raw, ANCHORS, 6).unwrap(), value, &Options::new(1).unwrap());
        assert!(matches!(found, Err(Error::Scale(_))));
    }

    assert!(matches!(Rows::new(&raw, ANCHORS, 7), Err(Error::RawLength { .. })));
    assert!(matches!(Rows::new(&raw, usize::MAX, 6), Err(Error::RawLength { .. })));
    let rows_of_seven = Rows::new(&raw, ANCHORS * 6 / 7, 7).unwrap();
    assert_eq!(post(1).decode(rows_of_seven).unwrap_err(), Error::Columns { actual: 7, num_classes: 1 });
    let too_few = Rows::new(&raw[6..], ANCHORS - 1, 6).unwrap();
    assert!(matches!(post(1).decode(too_few), Err(Error::Anchors { actual: 83, expected: ANCHORS, .. })));
    let without_columns = Rows::<f32>::new(&[], ANCHORS, 0).unwrap();
    assert!(matches!(post(1).decode(without_columns), Err(Error::Columns { .. })));

    let lengths = nms(Level::best(), &[[0.0; 4]], &[], None, 0.5);
    assert_eq!(lengths.unwrap_err(), Error::Length { name: "scores", actual: 0, boxes: 1 });
    let lengths = nms(Level::best(), &[[0.0; 4]], &[0.5], Some(&[]), 0.5);
    assert_eq!(lengths.unwrap_err(), Error::Length { name: "class_ids", actual: 0, boxes: 1 });
    for num_classes in [0, usize::MAX] {
        let model = PostProcessor::new(Grid::new(8, 8, &[8]).unwrap(), num_classes, Level::best());
        assert_eq!(model.unwrap_err(), Error::NumClasses(num_classes));
        assert_eq!(Options::new(num_classes).unwrap_err(), Error::NumClasses(num_classes));
    }
}

#[test]
fn options_are_validated_when_they_are_made() {
    let options = || Options::new(2).unwrap();
    for value in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        for (name, made) in
            [("score_threshold", options().score_threshold(value)), ("iou_threshold", options().iou_threshold(value))]
        {
            assert!(matches!(made, Err(Error::Threshold { name: named, .. }) if named == name));
        }
    }
    assert_eq!(options().max_detections(Some(0)), Err(Error::MaxDetections));
    assert_eq!(options().class_ids(&[1, 2]), Err(Error::ClassId { class_id: 2, num_classes: 2 }));
    assert_eq!(options().class_ids(&[1]).unwrap().all_classes(), options());
    assert_ne!(options().class_ids(&[0, 1]).unwrap(), options().class_ids(&[]).unwrap());
}

#[test]
fn options_for_another_number_of_classes_are_refused() {
    let raw = vec![0.0_f32; ANCHORS * 7];
    let raw = Rows::new(&raw, ANCHORS, 7).unwrap();
    assert!(post(2).run(raw, 1.0, &Options::new(2).unwrap()).is_ok());
    let expected = Err(Error::OtherOptions { actual: 3, expected: 2 });
    assert_eq!(post(2).run(raw, 1.0, &Options::new(3).unwrap()), expected);
    assert_eq!(
        post(2).run_batch([(raw, 1.0)].into_iter(), &Options::new(3).unwrap(), 1).map(|_| ()),
        expected.map(|_| ())
    );
}

#[test]
fn levels_are_called_by_name() {
    assert_eq!(Level::named("scalar").unwrap(), Level::SCALAR);
    assert_eq!(Level::named(Level::best().name()).unwrap(), Level::best());
    let error = Level::named("sse9").unwrap_err().to_string();
    assert!(error.starts_with("level \"sse9\" is unknown, this CPU has scalar"), "{error}");
}
