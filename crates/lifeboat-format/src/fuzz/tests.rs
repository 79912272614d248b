//! Tests: no bytes make a parser panic.

use proptest::prelude::*;

type Parser = fn(&[u8]);

const PARSERS: [Parser; 10] = [
    super::object_key,
    super::blob,
    super::epoch_secret,
    super::index_part,
    super::manifest,
    super::entry_bundle,
    super::note,
    super::head,
    super::kit,
    super::site_description,
];

#[test]
fn no_beginning_of_a_frame_makes_a_parser_panic() {
    for descriptor in 0..=255_u8 {
        for length in 0..16 {
            let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, descriptor];
            frame.extend(vec![0xff; length]);
            super::blob(&frame);
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        for parse in PARSERS {
            parse(&data);
        }
    }

    #[test]
    fn no_text_makes_a_parser_panic(data in "[\\PC\n\"{}:,0-9]{0,200}") {
        for parse in PARSERS {
            parse(data.as_bytes());
        }
    }

    #[test]
    fn no_bytes_after_a_frame_header_make_a_parser_panic(data in proptest::collection::vec(any::<u8>(), 0..300)) {
        super::blob(&[&[0x28, 0xb5, 0x2f, 0xfd][..], &data].concat());
        super::blob(&[&[0x28, 0xb5, 0x2f, 0xfd, 0x24, 64][..], &data].concat());
    }
}
