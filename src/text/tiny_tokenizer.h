// A small tokenizer.json for tests, with every part that a test wants to change as a piece of text.
#pragma once

#include <string>

#include "base/strings.h"

namespace ks {

struct TinyTokenizer {
  std::string normalizer =
      R"({"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true})";
  std::string pre_tokenizer = R"({"type":"BertPreTokenizer"})";
  std::string post_processor = R"({"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]})";
  std::string decoder = R"({"type":"WordPiece","prefix":"##","cleanup":true})";
  std::string added_tokens =
      R"({"id":1,"content":"[CLS]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true})";
  std::string model_type = R"("type":"WordPiece",)";
  std::string vocabulary = R"("[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3,"b":4,"##b":5,"hello":6,"!":7)";

  std::string Json() const {
    return Cat(R"({"version":"1.0","truncation":{"max_length":1},"padding":{"strategy":{"Fixed":9}},"added_tokens":[)",
               added_tokens, R"(],"normalizer":)", normalizer, R"(,"pre_tokenizer":)", pre_tokenizer,
               R"(,"post_processor":)", post_processor, R"(,"decoder":)", decoder, R"(,"model":{)", model_type,
               R"("unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{)",
               vocabulary, "}}}");
  }
};

}  // namespace ks
