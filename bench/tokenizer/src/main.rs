//! The reference tokeniser, timed without Python around it. Called by ../run.py, as is ../ours.cc:
//!
//!     tokenizer-peer TOKENIZER_JSON TEXTS ids|offsets DUMP
//!
//! TEXTS holds texts as size (u32, little-endian) and bytes. Encodes all of them once, writes ids (and offsets, in code
//! points) as i32 to DUMP, then times a second pass and prints its nanoseconds.

use std::hint::black_box;
use std::time::Instant;
use tokenizers::{Encoding, Tokenizer};

fn read_texts(path: &str) -> Vec<String> {
    let bytes = std::fs::read(path).expect("texts");
    let mut texts = Vec::new();
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let size = u32::from_le_bytes(rest[..4].try_into().unwrap()) as usize;
        texts.push(String::from_utf8(rest[4..4 + size].to_vec()).expect("UTF-8"));
        rest = &rest[4 + size..];
    }
    texts
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, json, texts, mode, dump] = &arguments[..] else {
        panic!("usage: tokenizer-peer TOKENIZER_JSON TEXTS ids|offsets DUMP")
    };
    let with_offsets = mode == "offsets";
    let mut tokenizer = Tokenizer::from_file(json).expect("tokenizer.json");
    tokenizer.with_truncation(None).expect("no truncation");
    tokenizer.with_padding(None);
    let encode = |text: &String| -> Encoding {
        if with_offsets {
            tokenizer.encode_char_offsets(text.as_str(), true).expect("encoding")
        } else {
            tokenizer.encode_fast(text.as_str(), true).expect("encoding")
        }
    };

    let texts = read_texts(texts);
    let mut numbers: Vec<u8> = Vec::new();
    for text in &texts {
        let encoding = encode(text);
        numbers.extend(encoding.get_ids().iter().flat_map(|id| id.to_le_bytes()));
        if with_offsets {
            for (begin, end) in encoding.get_offsets() {
                numbers.extend((*begin as u32).to_le_bytes());
                numbers.extend((*end as u32).to_le_bytes());
            }
        }
    }
    std::fs::write(dump, &numbers).expect("dump");

    let start = Instant::now();
    for text in &texts {
        black_box(encode(text).get_ids().len());
    }
    println!("{}", start.elapsed().as_nanos());
}
