using System.Globalization;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Channels.Juji.Connector;

/// <summary>
/// The calls that wait for their answers, by <c>u_id</c>. They outlive a connection: what is unanswered when it breaks is sent again by the next one under the same
/// <c>u_id</c>, by which
/// the community knows it. The first answer counts; later ones are ignored.
/// </summary>
internal sealed class CallTable(JujiOptions options, TimeProvider time)
{
    private const int Remembered = 1024;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Call> _waiting = new(StringComparer.Ordinal);
    private readonly HashSet<string> _answered = new(StringComparer.Ordinal);
    private readonly Queue<string> _order = new();
    private Action<Call>? _send;
    private long _number;

    /// <summary>How many wait.</summary>
    public int Count
    {
        get { lock (_lock) return _waiting.Count; }
    }

    /// <summary>Answers that came twice, or after their call had been given up.</summary>
    public long Late { get; private set; }

    /// <summary>A connection is there: what waits is sent by it, in order, and so is what comes. Null: it is gone.</summary>
    /// <param name="send">Must neither wait nor throw.</param>
    public void Attach(Action<Call>? send)
    {
        lock (_lock)
        {
            _send = send;
            if (send is null) return;
            foreach (var call in _waiting.Values.OrderBy(static call => call.Number)) Send(call);
        }
    }

    /// <summary>Calls an action and waits for its answer.</summary>
    /// <exception cref="BridgeException">
    /// <c>JUJI_ACTION_FAILED</c> with the community's text; <c>TIMEOUT</c>: sent and not answered; <c>UNAVAILABLE</c>: no connection in all that time; <c>BUSY</c>.
    /// </exception>
    public async Task<JsonElement> CallAsync(string action, JsonElement parameters, TimeSpan timeout, CancellationToken cancellationToken) =>
        Content(await AskAsync(action, parameters, timeout, cancellationToken).ConfigureAwait(false));

    /// <summary>The same; a refusal is an answer like any other.</summary>
    public async Task<JsonElement> AskAsync(string action, JsonElement parameters, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (action.Length is 0 or > 256) throw BridgeException.Invalid("action must be 1 to 256 characters");
        if (parameters.ValueKind is not (JsonValueKind.Object or JsonValueKind.Undefined)) throw BridgeException.Invalid("params must be an object");
        var call = new Call(Guid.NewGuid().ToString(), action, parameters);
        lock (_lock)
        {
            if (_waiting.Count >= options.MaxPendingCalls) throw BridgeException.Busy($"{_waiting.Count} calls wait for the community already", TimeSpan.FromSeconds(5));
            call.Number = ++_number;
            _waiting.Add(call.Id, call);
            if (_send is not null) Send(call);
        }

        try
        {
            return await call.Answer.Task.WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw call.Sent
                ? new BridgeException(ErrorCodes.Timeout,
                    string.Create(CultureInfo.InvariantCulture, $"The community didn't answer '{action}' within {timeout.TotalSeconds:0.###} s; it may have done it."))
                : BridgeException.Unavailable(
                    string.Create(CultureInfo.InvariantCulture, $"There was no connection to the community for {timeout.TotalSeconds:0.###} s; nothing was sent."));
        }
        finally
        {
            lock (_lock)
            {
                _waiting.Remove(call.Id);
                Remember(call.Id);
            }
        }
    }

    /// <summary>Takes a frame. True when it is an answer, wanted or not; false: it is a push.</summary>
    public bool Take(JsonElement frame)
    {
        if (IdOf(frame) is not { } id) return false;
        lock (_lock)
        {
            if (_waiting.TryGetValue(id, out var call))
            {
                if (!call.Answer.TrySetResult(frame)) Late++;
                return true;
            }

            if (!_answered.Contains(id)) return false;
            Late++;
            return true;
        }
    }

    /// <summary>A frame's <c>u_id</c>, or null.</summary>
    public static string? IdOf(JsonElement frame)
    {
        if (!frame.TryGetProperty("u_id"u8, out var id)) return null;
        if (id.ValueKind == JsonValueKind.String) return Push.Text(frame, "u_id"u8, int.MaxValue) is { Length: > 0 } text ? text : null;
        return id.ValueKind == JsonValueKind.Number ? id.GetRawText() : null;
    }

    /// <summary>An answer's content.</summary>
    /// <exception cref="BridgeException"><c>JUJI_ACTION_FAILED</c>.</exception>
    public static JsonElement Content(JsonElement answer)
    {
        var content = answer.TryGetProperty("content"u8, out var found) ? found : default;
        return IsSuccess(answer) ? content : throw new BridgeException("JUJI_ACTION_FAILED", TextOf(content));
    }

    /// <summary>True for an answer that the action was done.</summary>
    public static bool IsSuccess(JsonElement answer) =>
        answer.TryGetProperty("status"u8, out var status) && status.ValueKind == JsonValueKind.String && status.ValueEquals("success"u8);

    private static string TextOf(JsonElement content)
    {
        var text = content.ValueKind switch
        {
            JsonValueKind.Object when content.TryGetProperty("error"u8, out var error) && error.ValueKind == JsonValueKind.String => error.GetString()!,
            JsonValueKind.String => content.GetString()!,
            JsonValueKind.Undefined => "the community said no reason",
            _ => content.GetRawText(),
        };
        return text.Length > 2000 ? text[..2000] + "…" : text;
    }

    private void Send(Call call)
    {
        call.Sent = true;
        _send!(call);
    }

    private void Remember(string id)
    {
        if (_answered.Add(id)) _order.Enqueue(id);
        if (_order.Count > Remembered) _answered.Remove(_order.Dequeue());
    }

    /// <summary>A call.</summary>
    internal sealed class Call(string id, string action, JsonElement parameters)
    {
        public string Id => id;

        public string Action => action;

        public JsonElement Parameters => parameters;

        public long Number { get; set; }

        public bool Sent { get; set; }

        public TaskCompletionSource<JsonElement> Answer { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
