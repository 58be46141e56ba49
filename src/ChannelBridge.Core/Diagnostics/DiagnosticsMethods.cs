using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Channels;
using ChannelBridge.Abstractions.Diagnostics;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Abstractions.Hosting;
using ChannelBridge.Abstractions.Methods;
using ChannelBridge.Protocol;
using Microsoft.Extensions.Logging;

namespace ChannelBridge.Core.Diagnostics;

/// <summary>The method <c>diagnostics</c>: every section that the parts of the host contribute, as one JSON object.</summary>
/// <remarks>
/// A section that fails or takes longer than two seconds says so in its place and costs the others nothing. The sources are asked for at the first
/// call, not before, so that a source may itself depend on the method router.
/// </remarks>
internal sealed partial class DiagnosticsMethods : IMethodSource
{
    private static readonly TimeSpan SectionTimeout = TimeSpan.FromSeconds(2);

    private readonly IRegistry _registry;
    private readonly TimeProvider _time;
    private readonly ILogger<DiagnosticsMethods> _logger;

    /// <summary>Creates the method.</summary>
    /// <param name="registry">Where the sections come from.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">The log.</param>
    public DiagnosticsMethods(IRegistry registry, TimeProvider time, ILogger<DiagnosticsMethods> logger)
    {
        _registry = registry;
        _time = time;
        _logger = logger;
        Methods =
        [
            RpcMethod.Create(
                "diagnostics", Scopes.Read, "What goes on in the host: store, inbox, lanes, outbox, agents, link, channels and connections.",
                DiagnosticsJson.Default.DiagnosticsParameters, DiagnosticsJson.Default.JsonObject, CollectAsync),
        ];
    }

    /// <inheritdoc/>
    public IEnumerable<RpcMethod> Methods { get; }

    private async ValueTask<JsonObject> CollectAsync(DiagnosticsParameters parameters, MethodCall call, CancellationToken cancellationToken)
    {
        IReadOnlyList<IDiagnosticsSource> all = [.. _registry.Current.Of<IDiagnosticsSource>()
            .Where(source => source is not IChannel channel || call.Caller.MayUseChannel(channel.Id))];
        var sources = all.ToArray();
        if (parameters.Section is { } wanted)
        {
            sources = [.. all.Where(source => source.Section == wanted)];
            if (sources.Length == 0)
            {
                var known = string.Join(", ", all.Select(source => source.Section).Distinct().Order(StringComparer.Ordinal));
                throw new BridgeException(ErrorCodes.NotFound, $"diagnostics: no section '{SoundText.Cut(wanted, 64, "…")}'; the sections are {known}");
            }
        }

        var sections = await Task.WhenAll(sources.Select(source => CollectAsync(source, call.Caller, cancellationToken))).ConfigureAwait(false);
        var result = new JsonObject { ["now"] = _time.GetUtcNow().ToUnixTimeMilliseconds() };
        for (var i = 0; i < sources.Length; i++)
        {
            // Two sources may share a section (several channels, several doors): their members stand side by side.
            if (result[sources[i].Section] is JsonObject there)
            {
                foreach (var (name, value) in sections[i].ToArray())
                {
                    sections[i].Remove(name);
                    there[name] = value;
                }
            }
            else
            {
                result[sources[i].Section] = sections[i];
            }
        }

        if (call.Caller.IsLimited) HideOthers(result, call.Caller);
        return result;
    }

    private async Task<JsonObject> CollectAsync(IDiagnosticsSource source, Caller caller, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            var collected = source is ILimitedDiagnostics limited && caller.IsLimited ? limited.CollectAsync(caller, timeout.Token) : source.CollectAsync(timeout.Token);
            return await collected.AsTask().WaitAsync(SectionTimeout, _time, cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception fault)
        {
            // One broken section must not hide the others: that is when diagnostics are needed most.
            await timeout.CancelAsync().ConfigureAwait(false);
            LogSectionFailed(fault, source.Section);
            return new JsonObject
            {
                ["error"] = fault switch
                {
                    BridgeException known => $"{known.Code}: {known.Message}",
                    TimeoutException => "no answer within 2 s",
                    _ => "failed; see the log",
                },
            };
        }
    }

    /// <summary>A token that is limited to accounts or channels sees no others, wherever a section lists objects with an <c>accountId</c> or a <c>channel</c>.</summary>
    private static void HideOthers(JsonNode node, Caller caller)
    {
        switch (node)
        {
            case JsonArray array:
                for (var i = array.Count - 1; i >= 0; i--)
                {
                    if (array[i] is JsonObject item && IsOthers(item, caller)) array.RemoveAt(i);
                    else if (array[i] is { } child) HideOthers(child, caller);
                }

                break;
            case JsonObject members:
                foreach (var (name, value) in members.ToArray())
                {
                    if (value is JsonObject item && IsOthers(item, caller)) members.Remove(name);
                    else if (value is not null) HideOthers(value, caller);
                }

                break;
        }
    }

    private static bool IsOthers(JsonObject item, Caller caller) =>
        (Text(item["accountId"] ?? item["account"]) is { } account && !caller.MayUseAccount(account))
        || (Text(item["channel"]) is { } channel && !caller.MayUseChannel(channel));

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    [LoggerMessage(EventId = LogEvents.DiagnosticsMethodsSectionFailed, Level = LogLevel.Warning, Message = "Diagnostics section {Section} failed")]
    private partial void LogSectionFailed(Exception fault, string section);
}

/// <summary>Parameters of <c>diagnostics</c>.</summary>
internal sealed record DiagnosticsParameters
{
    /// <summary>Only this section; null means all.</summary>
    public string? Section { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
[JsonSerializable(typeof(DiagnosticsParameters))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class DiagnosticsJson : JsonSerializerContext;
