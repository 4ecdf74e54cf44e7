"""One request in each client format that says everything the format can say, as its vendor documents it."""

from __future__ import annotations

from typing import Any

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKJcOkw7zDtsOfCg=="
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}

ANTHROPIC: dict[str, Any] = {
    "model": "claude-opus-5-5",
    "max_tokens": 4096,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329;"},
        {"type": "text", "text": "You mend code.", **MARK},
    ],
    "tools": [
        {"name": "Read", "description": "Reads a file", "input_schema": SCHEMA, "strict": True, **MARK},
        {"name": "Grep", "description": "Searches", "input_schema": SCHEMA, "defer_loading": True},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "stop_sequences": ["END"],
    "temperature": 1.5,
    "top_p": 0.9,
    "top_k": 40,
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": SCHEMA}},
    "metadata": {"user_id": "somebody"},
    "service_tier": "auto",
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "safeguards": [{"type": "dangerous_tool_use"}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look at these."},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            ],
        },
        {"role": "system", "content": "The date has changed."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I look.", "signature": "EqQBCgIYAhIM"},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
                    {"type": "web_search_result", "title": "X", "url": "https://x.example", "encrypted_content": "e"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.py"}},
                {"type": "tool_use", "id": "toolu_2", "name": "ToolSearch", "input": {"query": "grep"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": True, "content": [
                    {"type": "text", "text": "no such file"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [
                    {"type": "tool_reference", "tool_name": "Grep"}]},
                {"type": "text", "text": "Go on.", **MARK},
            ],
        },
    ],
}  # fmt: skip

CHAT: dict[str, Any] = {
    "model": "gpt-5.5",
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_completion_tokens": 4096,
    "stop": ["END"],
    "temperature": 0.5,
    "top_p": 0.9,
    "seed": 7,
    "presence_penalty": 0.1,
    "frequency_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "n": 2,
    "parallel_tool_calls": False,
    "reasoning_effort": "high",
    "verbosity": "low",
    "user": "somebody",
    "prompt_cache_key": "k",
    "service_tier": "flex",
    "response_format": {"type": "json_schema", "json_schema": {"name": "found", "schema": SCHEMA, "strict": True}},
    "tools": [
        {"type": "function", "function": {"name": "read", "description": "Reads", "parameters": SCHEMA, "strict": True}},
        {"type": "custom", "custom": {"name": "patch", "description": "Patches", "format": {
            "type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /.+/"}}}},
    ],
    "tool_choice": {"type": "function", "function": {"name": "read"}},
    "messages": [
        {"role": "developer", "content": "You mend code."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look at these.", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            ],
        },
        {
            "role": "assistant",
            "content": "I look.",
            "reasoning_content": "A file is wanted.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path":"a.py"}'}},
                {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin Patch"}},
                {"id": "call_3", "type": "function", "function": {"name": "read", "arguments": '{"path":'}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "1 line"},
        {"role": "tool", "tool_call_id": "call_2", "content": "Done"},
        {"role": "tool", "tool_call_id": "call_3", "content": "not JSON"},
        {"role": "system", "content": "The date has changed."},
        {"role": "user", "content": "Go on."},
    ],
}  # fmt: skip

RESPONSES: dict[str, Any] = {
    "model": "gpt-5.5",
    "stream": True,
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "instructions": "You mend code.",
    "max_output_tokens": 4096,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_logprobs": 2,
    "parallel_tool_calls": False,
    "prompt_cache_key": "k",
    "safety_identifier": "somebody",
    "service_tier": "flex",
    "reasoning": {"effort": "high", "summary": "auto"},
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "found", "schema": SCHEMA, "strict": True}},
    "tool_choice": "required",
    "tools": [
        {"type": "function", "name": "exec_command", "description": "Runs", "parameters": SCHEMA, "strict": False},
        {"type": "custom", "name": "apply_patch", "description": "Patches", "format": {
            "type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
        {"type": "namespace", "name": "agents", "description": "Agents", "tools": [
            {"type": "function", "name": "spawn", "description": "Begins one", "parameters": SCHEMA, "strict": True}]},
        {"type": "tool_search", "execution": "client", "description": "Finds tools", "parameters": SCHEMA},
        {"type": "web_search", "external_web_access": False},
    ],
    "input": [
        {"type": "additional_tools", "tools": [
            {"type": "function", "name": "wait", "description": "Waits", "parameters": SCHEMA, "strict": False}]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look at these.", "prompt_cache_breakpoint": {"ttl": "30m"}},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
                {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PDF}"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "I look."}],
         "encrypted_content": "gAAAAABn"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
        {"type": "function_call", "call_id": "call_1", "name": "spawn", "namespace": "agents", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "tool_search_call", "call_id": "call_3", "execution": "client", "arguments": {"query": "grep"}},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "x"}},
        {"type": "function_call_output", "call_id": "call_1", "output": [
            {"type": "input_text", "text": "begun"},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}]},
        {"type": "custom_tool_call_output", "call_id": "call_2", "output": "Done"},
        {"type": "tool_search_output", "call_id": "call_3", "execution": "client", "status": "completed", "tools": [
            {"type": "function", "name": "grep", "description": "Searches", "parameters": SCHEMA}]},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "The date has changed."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Go on."}]},
    ],
}  # fmt: skip

GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "You mend code."}]},
    "tools": [
        {"functionDeclarations": [
            {"name": "read_file", "description": "Reads", "parametersJsonSchema": SCHEMA},
            {"name": "mcp.server:look", "description": "Looks", "parameters": {
                "type": "OBJECT", "properties": {"path": {"type": "STRING", "nullable": True}}}}]},
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["read_file"]}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "generationConfig": {
        "maxOutputTokens": 4096,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.1,
        "stopSequences": ["END"],
        "candidateCount": 2,
        "responseLogprobs": True,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
        "thinkingConfig": {"thinkingLevel": "HIGH", "includeThoughts": True},
    },
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "Look at these."},
                {"inlineData": {"mimeType": "image/png", "data": PNG}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/a.pdf"}},
                {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
                {"inlineData": {"mimeType": "video/mp4", "data": "AAAAIGZ0eXA="}},
                {"fileData": {"mimeType": "image/png", "fileUri":
                              "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "I look.", "thoughtSignature": "c2lnbmVkIHRleHQ="},
                {"functionCall": {"id": "c1", "name": "read_file", "args": {"path": "a.py"}},
                 "thoughtSignature": "c2lnbmVkIGNhbGw="},
                {"functionCall": {"id": "c2", "name": "mcp.server:look", "args": {}}},
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "c1", "name": "read_file", "response": {"error": "no such file"}}},
                {"functionResponse": {"id": "c2", "name": "mcp.server:look", "response": {"output": "seen"}}},
                {"text": "Go on."},
            ],
        },
    ],
}  # fmt: skip
