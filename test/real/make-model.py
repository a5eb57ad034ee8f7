"""Makes a tiny Llama with random weights and a tokenizer of its own: 1.7 MB, and nothing is downloaded. Usage: make-model.py DIRECTORY CONTEXT"""

import sys

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

directory, context = sys.argv[1], int(sys.argv[2])

tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=600,
    special_tokens=["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
tokenizer.train_from_iterator(["the quick brown fox jumps over the lazy dog", "a ship is moored at its berth"] * 20, trainer)

wrapped = PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>", pad_token="</s>", model_max_length=context
)
wrapped.chat_template = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
wrapped.save_pretrained(directory)

torch.manual_seed(0)
config = LlamaConfig(
    vocab_size=len(wrapped),
    hidden_size=128,
    intermediate_size=256,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=4,
    head_dim=32,
    max_position_embeddings=context,
    bos_token_id=1,
    eos_token_id=2,
    pad_token_id=2,
    tie_word_embeddings=False,
    dtype="float32",
)
LlamaForCausalLM(config).save_pretrained(directory, safe_serialization=True)
