"""What a model may use: functions with the schema of their arguments, and the service's own tools.

Sources as in `messages`; `Schema` is `google/ai/generativelanguage/v1beta/content.proto`, and what Vertex AI has beyond
it (marked) `google/cloud/aiplatform/v1beta1/openapi.proto`.
"""

from __future__ import annotations

from typing import Any

from harness.wire.live.fields import EnumName, Float32, Float64, Int32, Int64, Message, Timestamp


class Schema(Message, frozen=True):
    """What a value may be, in a subset of OpenAPI 3.0."""

    type: EnumName | None = None
    """`STRING`, `NUMBER`, `INTEGER`, `BOOLEAN`, `ARRAY`, `OBJECT`, `NULL`; the guides write them in lower case as well, and both are read."""

    format: str | None = None
    title: str | None = None
    description: str | None = None
    nullable: bool = False
    enum: list[str] = []
    items: Schema | None = None
    max_items: Int64 | None = None
    min_items: Int64 | None = None
    properties: dict[str, Schema] = {}
    required: list[str] = []
    min_properties: Int64 | None = None
    max_properties: Int64 | None = None
    minimum: Float64 | None = None
    maximum: Float64 | None = None
    min_length: Int64 | None = None
    max_length: Int64 | None = None
    pattern: str | None = None
    example: Any = None
    any_of: list[Schema] = []
    property_ordering: list[str] = []
    default: Any = None
    additional_properties: Any = None
    """Vertex AI, as `ref` and `defs`."""

    ref: str | None = None
    defs: dict[str, Schema] = {}


class FunctionDeclaration(Message, frozen=True):
    """A function the model may call."""

    name: str = ""
    description: str = ""
    parameters: Schema | None = None
    parameters_json_schema: Any = None
    response: Schema | None = None
    response_json_schema: Any = None
    behavior: EnumName | None = None
    """`BLOCKING` or `NON_BLOCKING`."""


class Interval(Message, frozen=True):
    """A span of time (google/type/interval.proto)."""

    start_time: Timestamp | None = None
    end_time: Timestamp | None = None


class GoogleSearch(Message, frozen=True):
    """Google Search, as the model decides."""

    time_range_filter: Interval | None = None
    search_types: dict[str, Any] | None = None
    """Later (SDK)."""

    exclude_domains: list[str] = []
    """Vertex AI, as `blocking_confidence` (SDK)."""

    blocking_confidence: EnumName | None = None


class DynamicRetrievalConfig(Message, frozen=True):
    """When the service searches."""

    mode: EnumName | None = None
    dynamic_threshold: Float32 | None = None


class GoogleSearchRetrieval(Message, frozen=True):
    """Google Search, before the model."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = None


class CodeExecution(Message, frozen=True):
    """The model may run code; nothing can be said about how."""


class UrlContext(Message, frozen=True):
    """The model may read pages that are named to it; nothing can be said about how."""


class GoogleMaps(Message, frozen=True):
    """Google Maps."""

    enable_widget: bool = False
    auth_config: dict[str, Any] | None = None
    """Vertex AI (SDK)."""

    grounding_types: dict[str, Any] | None = None
    """Later (SDK)."""


class ComputerUse(Message, frozen=True):
    """The model may steer a computer."""

    environment: EnumName | None = None
    excluded_predefined_functions: list[str] = []
    enable_prompt_injection_detection: bool = False
    """Later, as `disabled_safety_policies` (SDK)."""

    disabled_safety_policies: list[EnumName] = []


class RetrievalResource(Message, frozen=True):
    """A store to search in."""

    rag_store_name: str = ""


class RetrievalConfig(Message, frozen=True):
    """How a store is searched."""

    top_k: Int32 | None = None
    metadata_filter: str | None = None


class FileSearch(Message, frozen=True):
    """Search in files of one's own: published with resources, in the SDK with the names of stores."""

    retrieval_resources: list[RetrievalResource] = []
    retrieval_config: RetrievalConfig | None = None
    file_search_store_names: list[str] = []
    top_k: Int32 | None = None
    metadata_filter: str | None = None


class Tool(Message, frozen=True):
    """What the model may use."""

    function_declarations: list[FunctionDeclaration] = []
    google_search: GoogleSearch | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    code_execution: CodeExecution | None = None
    url_context: UrlContext | None = None
    google_maps: GoogleMaps | None = None
    file_search: FileSearch | None = None
    computer_use: ComputerUse | None = None
    mcp_servers: list[dict[str, Any]] = []
    """Later (SDK)."""

    retrieval: dict[str, Any] | None = None
    """Vertex AI, as what follows (SDK)."""

    enterprise_web_search: dict[str, Any] | None = None
    parallel_ai_search: dict[str, Any] | None = None
    exa_ai_search: dict[str, Any] | None = None
