using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Abstractions.Responses;
using ChannelBridge.Protocol.OpenResponses;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Responses;

/// <summary>
/// The methods <c>responses.create</c>, <c>responses.cancel</c> and <c>responses.resume</c>, and their event: each is one strict event of the stream with the
/// response's id beside it, because a connection may follow several.
/// </summary>
internal sealed partial class ResponseMethods : IMethodSource
{
    /// <summary>The event on the own doors.</summary>
    public const string Event = "responses.event";

    /// <summary>The event through the gateway, which passes on only names that begin with <c>plugin.</c>.</summary>
    public const string GatewayEvent = "plugin.responses.event";

    private readonly ResponseRuns _runs;
    private readonly ResponseOptions _options;
    private readonly ResponsePump _pump;

    public ResponseMethods(ResponseRuns runs, ResponseOptions options, TimeProvider time, ILogger<ResponseMethods> logger)
    {
        _runs = runs;
        _options = options;
        _pump = new ResponsePump(time, logger);
        Methods =
        [
            RpcMethod.CreateRaw(
                "responses.create", Scopes.Write, "Asks an agent: the members of an Open Responses request. The events follow the answer, each as a responses.event.",
                MethodJson.Default.ResponseCreateParameters, MethodJson.Default.ResponseCreateResult, CreateAsync, actsAfterAnswer: true),
            RpcMethod.Create(
                "responses.resume", Scopes.Read, "Sends the events of a response after a sequence number again, and then those to come.",
                MethodJson.Default.ResponseResumeParameters, MethodJson.Default.ResponseCreateResult, ResumeAsync, actsAfterAnswer: true),
            RpcMethod.Create(
                "responses.cancel", Scopes.Write, "Cancels a response: it ends as failed with the code cancelled. Nothing happens when it has ended.",
                MethodJson.Default.ResponseCancelParameters, MethodJson.Default.ResponseCreateResult, CancelAsync),
        ];
    }

    public IEnumerable<RpcMethod> Methods { get; }

    public bool ForGateway => true;

    /// <inheritdoc/>
    public string? ForChannel => TurnMaker.Channel;

    public IEnumerable<string> Events => [Event, GatewayEvent];

    private async ValueTask CreateAsync(ReadOnlyMemory<byte> parameters, MethodCall call, IBufferWriter<byte> result, CancellationToken cancellationToken)
    {
        ResponseRequest request;
        try
        {
            request = IgnoredNote.InMetadata(ResponseRequestReader.Read(parameters.IsEmpty ? "{}"u8.ToArray() : parameters));
        }
        catch (ResponseRequestException fault)
        {
            throw ResponseErrors.Invalid(fault);
        }

        var run = await _runs.StartAsync(new ResponseStart { Request = request, Owner = call.Caller.Name }, cancellationToken).ConfigureAwait(false);
        var cancels = _options.CancelOnDisconnect && request.Background != true;
        call.AfterAnswer(() => _ = _pump.RunAsync(run, -1, call.Connection, EventOf(call.Caller), cancels));
        Write(result, Describe(run));
    }

    private async ValueTask<ResponseCreateResult> ResumeAsync(ResponseResumeParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        if (parameters.After is < -1) throw ResponseErrors.Invalid("responses.resume: params.after must be a sequence number, or -1 for every event", "after");
        var run = await FindAsync(parameters.ResponseId, call.Caller, cancellationToken).ConfigureAwait(false);
        call.AfterAnswer(() => _ = _pump.RunAsync(run, parameters.After ?? -1, call.Connection, EventOf(call.Caller), cancels: false));
        return Describe(run);
    }

    private async ValueTask<ResponseCreateResult> CancelAsync(ResponseCancelParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        var run = await FindAsync(parameters.ResponseId, call.Caller, cancellationToken).ConfigureAwait(false);
        await run.CancelAsync().ConfigureAwait(false);
        await run.Completion.WaitAsync(cancellationToken).ConfigureAwait(false);
        return Describe(run);
    }

    private async ValueTask<IResponseRun> FindAsync(string id, Caller caller, CancellationToken cancellationToken) =>
        await _runs.FindAsync(id, caller.Name, cancellationToken).ConfigureAwait(false)
        ?? throw ResponseErrors.NotFound("There is no such response: unknown, expired, deleted, or another token's.", "responseId", "response_not_found");

    private static string EventOf(Caller caller) => caller.Door == Door.Gateway ? GatewayEvent : Event;

    private static ResponseCreateResult Describe(IResponseRun run)
    {
        using var document = JsonDocument.Parse(run.Snapshot);
        return new ResponseCreateResult(run.Id, document.RootElement.GetProperty("status").GetString()!);
    }

    private static void Write(IBufferWriter<byte> output, ResponseCreateResult result)
    {
        using var writer = new Utf8JsonWriter(output);
        JsonSerializer.Serialize(writer, result, MethodJson.Default.ResponseCreateResult);
    }

    /// <summary>Parameters of <c>responses.create</c>: the members of <c>POST /v1/responses</c>, by the names that they have there.</summary>
    internal sealed record ResponseCreateParameters
    {
        /// <summary>The agent by name; another one's name goes to the default agent.</summary>
        public string? Model { get; init; }

        /// <summary>A text, or a list of items.</summary>
        public JsonElement? Input { get; init; }

        /// <summary>The response that this one continues.</summary>
        [JsonPropertyName("previous_response_id")]
        public string? PreviousResponseId { get; init; }

        /// <summary>What the agent is told before the conversation.</summary>
        public string? Instructions { get; init; }

        /// <summary>Functions that the agent may call.</summary>
        public IReadOnlyList<JsonElement>? Tools { get; init; }

        /// <summary>Which of them it may or must call.</summary>
        [JsonPropertyName("tool_choice")]
        public JsonElement? ToolChoice { get; init; }

        /// <summary>Whether it is kept for continuation; default true.</summary>
        public bool? Store { get; init; }

        /// <summary>Whether it goes on without its client whatever the settings say.</summary>
        public bool? Background { get; init; }

        /// <summary>Sampling temperature, 0 to 2.</summary>
        public double? Temperature { get; init; }

        /// <summary>Most tokens of the output, at least 16.</summary>
        [JsonPropertyName("max_output_tokens")]
        public int? MaxOutputTokens { get; init; }

        /// <summary>Up to 16 pairs.</summary>
        public JsonElement? Metadata { get; init; }
    }

    /// <summary>What the three methods answer.</summary>
    /// <param name="ResponseId">The response.</param>
    /// <param name="Status">Its status now.</param>
    internal sealed record ResponseCreateResult(string ResponseId, string Status);

    /// <summary>Parameters of <c>responses.resume</c>.</summary>
    internal sealed record ResponseResumeParameters
    {
        /// <summary>The response.</summary>
        public required string ResponseId { get; init; }

        /// <summary>The last sequence number that the client has; null or -1 for none.</summary>
        public long? After { get; init; }
    }

    /// <summary>Parameters of <c>responses.cancel</c>.</summary>
    internal sealed record ResponseCancelParameters
    {
        /// <summary>The response.</summary>
        public required string ResponseId { get; init; }
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
    [JsonSerializable(typeof(ResponseCreateResult))]
    [JsonSerializable(typeof(ResponseResumeParameters))]
    [JsonSerializable(typeof(ResponseCancelParameters))]
    [JsonSerializable(typeof(ResponseCreateParameters))]
    private sealed partial class MethodJson : JsonSerializerContext;
}
