using System.Text.Json;

namespace ChannelBridge.A2A.Client;

/// <summary>
/// A client for one peer. It reads the peer's card, chooses version and transport, and speaks the records of 1.0 whatever the peer speaks.
/// Safe for several threads at once; keep one for each peer, because breaker and card are in it.
/// </summary>
public sealed partial class A2AClient : IDisposable
{
    private readonly A2AClientOptions _options;
    private readonly PeerCaller _caller;
    private readonly CardReader _cards;

    /// <summary>Creates a client. Nothing is sent yet.</summary>
    public A2AClient(A2AClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (!options.Address.IsAbsoluteUri || options.Address.Scheme is not ("http" or "https"))
        {
            throw new A2AException(A2AFault.AddressRefused, "A peer's address is an http or https URL.");
        }

        _options = options;
        _caller = new PeerCaller(options);
        _cards = new CardReader(options, _caller);
    }

    /// <summary>True while the peer is left alone, because it has failed often.</summary>
    public bool Resting => _caller.Resting;

    /// <summary>The peer's card.</summary>
    /// <param name="anew">True to ask the peer even when the card was read a moment ago.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<AgentCard> GetCardAsync(bool anew = false, CancellationToken cancellationToken = default) =>
        _cards.GetAsync(anew, cancellationToken);

    /// <summary>The interface that calls go to.</summary>
    public async Task<AgentInterface> GetInterfaceAsync(CancellationToken cancellationToken = default) =>
        (await PlacesAsync(cancellationToken).ConfigureAwait(false))[0].Wire.Place;

    /// <summary>
    /// Sends a message. Unless the configuration says otherwise, the answer comes when the task has ended or waits for the client.
    /// </summary>
    public Task<SendResult> SendAsync(SendRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            new Call(Operation.Send, dialect => dialect.Send.ToBytes(request), "message:send")
            {
                HasRestBody = true,
                Tenant = request.Tenant,
                Waits = request.Configuration is not { ReturnImmediately: true },
            },
            static (dialect, body) => dialect.SendResult.Read(body.Span),
            cancellationToken);
    }

    /// <summary>A task as it is.</summary>
    public Task<A2ATask> GetTaskAsync(GetTaskRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var query = request.HistoryLength is { } length ? $"?historyLength={length}" : "";
        return CallAsync(
            new Call(Operation.Get, dialect => dialect.Get.ToBytes(request), TaskPath(request.Id) + query) { Tenant = request.Tenant },
            static (dialect, body) => dialect.Task.Read(body.Span),
            cancellationToken);
    }

    /// <summary>A page of the client's tasks. Version 0.3 has none.</summary>
    public Task<ListTasksResult> ListTasksAsync(ListTasksRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            new Call(
                Operation.List, dialect => dialect.List?.ToBytes(request), "tasks" + ListQuery.Of(request))
            { Tenant = request.Tenant },
            static (dialect, body) => dialect.ListResult!.Read(body.Span),
            cancellationToken);
    }

    /// <summary>Asks for a task to be cancelled.</summary>
    public Task<A2ATask> CancelTaskAsync(CancelTaskRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            new Call(
                Operation.Cancel, dialect => dialect.Cancel.ToBytes(request), TaskPath(request.Id) + ":cancel")
            { Tenant = request.Tenant },
            static (dialect, body) => dialect.Task.Read(body.Span),
            cancellationToken);
    }

    /// <summary>Sets where a task's changes are posted to.</summary>
    public Task<PushConfig> SetPushConfigAsync(PushConfig config, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(config);
        return CallAsync(
            new Call(Operation.SetPush, dialect => dialect.Push.ToBytes(config), TaskPath(config.TaskId ?? "") + "/pushNotificationConfigs")
            {
                HasRestBody = true,
                Tenant = config.Tenant,
            },
            static (dialect, body) => dialect.PushResult.Read(body.Span),
            cancellationToken);
    }

    /// <summary>A push configuration, without its credentials.</summary>
    public Task<PushConfig> GetPushConfigAsync(PushConfigRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            new Call(Operation.GetPush, dialect => dialect.PushId.ToBytes(request), PushPath(request)) { Tenant = request.Tenant },
            static (dialect, body) => dialect.PushResult.Read(body.Span),
            cancellationToken);
    }

    /// <summary>The push configurations of a task.</summary>
    public Task<ListPushConfigsResult> ListPushConfigsAsync(ListPushConfigsRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        return CallAsync(
            new Call(
                Operation.ListPush, dialect =>
                    dialect.ListPush.ToBytes(request), TaskPath(request.TaskId) + "/pushNotificationConfigs")
            { Tenant = request.Tenant },
            static (dialect, body) => dialect.Pushes.Read(body.Span),
            cancellationToken);
    }

    /// <summary>Removes a push configuration.</summary>
    public async Task DeletePushConfigAsync(PushConfigRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        await CallAsync<object?>(
            new Call(Operation.DeletePush, dialect => dialect.PushId.ToBytes(request), PushPath(request)) { Tenant = request.Tenant },
            static (_, _) => null,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The card that the peer shows to those whom it knows.</summary>
    public Task<AgentCard> GetExtendedCardAsync(CancellationToken cancellationToken = default) => CallAsync(
        new Call(Operation.ExtendedCard, static _ => "{}"u8.ToArray(), "extendedAgentCard"),
        static (dialect, body) => dialect.Card.Read(body.Span),
        cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _cards.Dispose();
        _caller.Dispose();
    }

    private static string TaskPath(string id) => "tasks/" + Uri.EscapeDataString(id);

    private static string PushPath(PushConfigRequest request) =>
        $"{TaskPath(request.TaskId)}/pushNotificationConfigs/{Uri.EscapeDataString(request.Id)}";

    private async Task<IReadOnlyList<(Wire Wire, UrlOrigin Origin)>> PlacesAsync(CancellationToken cancellationToken)
    {
        if (_options.Direct is { } direct)
        {
            var wire = Wire.For(direct)
                ?? throw new A2AException(A2AFault.NoInterface, "The interface that was given is none that is spoken here.");
            return [(wire, InterfaceChoice.OriginOf(wire.Url, _options))];
        }

        return InterfaceChoice.From(await _cards.GetAsync(anew: false, cancellationToken).ConfigureAwait(false), _options);
    }

    private async Task<T> CallAsync<T>(Call call, Func<A2ADialect, ReadOnlyMemory<byte>, T> read, CancellationToken cancellationToken)
    {
        using var whole = new CancellationTokenSource(_options.TotalTimeout, _options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(whole.Token, cancellationToken);
        try
        {
            var (wire, answer) = await BeginAsync(call, either.Token).ConfigureAwait(false);
            using (answer)
            {
                var body = await _caller.ReadAsync(answer, _options.MaxAnswerBytes, "The answer", either.Token).ConfigureAwait(false);
                return Read(wire, body, read);
            }
        }
        catch (OperationCanceledException fault) when (whole.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw TooLong(fault);
        }
    }

    /// <summary>
    /// Begins a call at the interface that is liked best; at the next one, when the peer doesn't speak what its card says.
    /// </summary>
    private async Task<(Wire Wire, HttpResponseMessage Answer)> BeginAsync(Call call, CancellationToken cancellationToken)
    {
        var places = await PlacesAsync(cancellationToken).ConfigureAwait(false);
        for (var i = 0; ; i++)
        {
            var (wire, origin) = places[i];
            try
            {
                var named = call.Tenant is null && wire.Place.Tenant is { Length: > 0 } tenant
                    ? call with { Body = Naming(call.Body, tenant) }
                    : call;
                var answer = await _caller.SendAsync(
                    () => wire.Request(named), origin, call.Waits, cancellationToken).ConfigureAwait(false);
                return (wire, answer);
            }
            catch (A2AException fault) when (i + 1 < places.Count && fault.Error == A2AError.VersionNotSupported)
            {
                // The card promises more than the server keeps.
            }
        }
    }

    /// <summary>Adds the interface's tenant to parameters that name none. Version 0.3 knows no tenants.</summary>
    private static Func<A2ADialect, byte[]?> Naming(Func<A2ADialect, byte[]?> body, string tenant) => dialect =>
    {
        var written = body(dialect);
        if (written is null || dialect.Version == Versions.V03) return written;
        var named = System.Text.Json.Nodes.JsonNode.Parse(written)!.AsObject();
        named["tenant"] = tenant;
        using var output = new MemoryStream(written.Length + 32);
        using (var writer = new Utf8JsonWriter(output)) named.WriteTo(writer);
        return output.ToArray();
    };

    private static T Read<T>(Wire wire, ReadOnlyMemory<byte> body, Func<A2ADialect, ReadOnlyMemory<byte>, T> read)
    {
        try
        {
            return read(wire.Dialect, wire.Unwrap(body));
        }
        catch (JsonException fault)
        {
            throw new A2AException(A2AFault.BadAnswer, "The peer's answer makes no sense: " + fault.Message, fault);
        }
    }

    private A2AException TooLong(Exception fault)
    {
        var seconds = _options.TotalTimeout.TotalSeconds;
        return new A2AException(
            A2AFault.TotalTimeout, $"The call to the peer was given up after {seconds:0} s.", fault)
        { Retryable = true };
    }
}
