using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Agents.Streams;
using ChannelBridge.Protocol;

namespace ChannelBridge.Agents.Http;

/// <summary>Says what went wrong with a provider: stable codes, what to do about it, whether and when to try again.</summary>
internal sealed class ProviderFaults(ProviderOptions options, Uri address, TimeProvider time)
{
    private const int MaxBody = 64 * 1024;
    private const int MaxQuote = 400;
    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromDays(1);

    private string Who => $"The agent '{options.Name}'";

    private string Where => ProviderAddress.Show(address);

    /// <summary>No answer at all.</summary>
    public BridgeException Unreachable(HttpRequestException fault)
    {
        var why = fault.HttpRequestError switch
        {
            HttpRequestError.NameResolutionError => "no such host",
            HttpRequestError.SecureConnectionError => "TLS failed: certificate or protocol",
            HttpRequestError.ConnectionError when Root(fault) is SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "connection refused",
            HttpRequestError.ConnectionError => "the connection failed",
            HttpRequestError.ResponseEnded => "the connection was closed before an answer came",
            _ => "the request failed",
        };
        return new BridgeException(
            AgentErrorCodes.Unreachable, $"{Who} can't be reached at {Where}: {why}. Is the server running, and is Agents:{options.Name}:Url right?", fault)
        { Retryable = true };
    }

    /// <summary>The connection took too long.</summary>
    public BridgeException ConnectTimeout(Exception? fault) => new(
        AgentErrorCodes.ConnectTimeout, $"{Who}: no connection to {Where} within {Seconds(options.ConnectTimeout)}; see Agents:{options.Name}:ConnectTimeout.", fault)
    { Retryable = true };

    /// <summary>One of the turn's own time-outs.</summary>
    public BridgeException TimedOut(TurnPhase phase) => phase switch
    {
        TurnPhase.FirstToken => new BridgeException(
            AgentErrorCodes.FirstTokenTimeout,
            $"{Who} gave nothing of an answer within {Seconds(options.FirstTokenTimeout)}; a model that must be loaded first may need more: "
                + $"Agents:{options.Name}:FirstTokenTimeout.")
        { Retryable = true },
        TurnPhase.Idle => new BridgeException(
            AgentErrorCodes.IdleTimeout, $"{Who} stopped in the middle of its answer and was silent for {Seconds(options.IdleTimeout)}; see Agents:{options.Name}:IdleTimeout.")
        { Retryable = true },
        _ => new BridgeException(
            AgentErrorCodes.TurnTimeout, $"{Who} took longer than {Seconds(options.TurnTimeout)} for one turn; see Agents:{options.Name}:TurnTimeout."),
    };

    /// <summary>The stream broke off.</summary>
    public BridgeException Broken(string how, Exception? fault = null) => new(AgentErrorCodes.StreamBroken, $"{Who}: {how}.", fault) { Retryable = true };

    /// <summary>The breaker is open.</summary>
    public BridgeException Resting(TimeSpan? wait) => BridgeException.Unavailable(
        $"{Who} failed repeatedly and is left alone for a moment; messages wait for it.", wait is { } left && left > TimeSpan.Zero ? left : TimeSpan.FromSeconds(1));

    /// <summary>A status that is no success. Reads the body for the provider's own words.</summary>
    public async Task<BridgeException> RefusedAsync(ProviderAnswer answer, string? key, CancellationToken cancellationToken)
    {
        var (told, code, _) = ErrorShape.Read(await ReadBodyAsync(answer, cancellationToken).ConfigureAwait(false));
        var wait = Milliseconds(answer.RetryAfterMs) ?? RetryAfter(answer.RetryAfter);
        var said = Quote(told, key);
        var details = new JsonObject { ["status"] = answer.Status };
        if (code is { Length: <= 100 }) details["providerCode"] = code;
        return answer.Status switch
        {
            // What a provider says about a wrong key may repeat it in part.
            401 or 403 => new BridgeException(
                AgentErrorCodes.KeyRefused,
                $"{Who}: the provider refused the key (HTTP {answer.Status}). "
                    + (key is null
                        ? $"None is set: give one with Agents:{options.Name}:KeyFile (--agent-key-file)."
                        : $"Check the key that Agents:{options.Name}:KeyFile or KeyVariable leads to."))
            { Details = details },
            404 => new BridgeException(
                AgentErrorCodes.NotFound,
                $"{Who}: {Where} or its model isn't known there (HTTP 404){said}. Check Agents:{options.Name}:Url and Model (--agent-model).")
            { Details = details },
            408 or 409 or 425 => new BridgeException(AgentErrorCodes.Failed, $"{Who}: the provider asks for another try (HTTP {answer.Status}){said}.")
            { Retryable = true, RetryAfter = wait, Details = details },
            413 => new BridgeException(AgentErrorCodes.RequestRefused,
                $"{Who}: the conversation or its files are larger than the provider takes (HTTP 413){said}.")
            { Details = details },
            429 => new BridgeException(AgentErrorCodes.Overloaded, $"{Who}: the provider takes no more requests at the moment (HTTP 429){said}.")
            { Retryable = true, RetryAfter = wait, Details = details },
            >= 500 => new BridgeException(AgentErrorCodes.Failed, $"{Who}: the provider failed (HTTP {answer.Status}){said}.")
            { Retryable = true, RetryAfter = wait, Details = details },
            >= 300 and < 400 => new BridgeException(
                AgentErrorCodes.RequestRefused,
                $"{Who}: the provider sends the request elsewhere (HTTP {answer.Status}), which isn't followed because of the key. Put the "
                    + $"final address into Agents:{options.Name}:Url.")
            { Details = details },
            _ => new BridgeException(AgentErrorCodes.RequestRefused,
                $"{Who}: the provider refused the request (HTTP {answer.Status}){said}. Check Agents:{options.Name}:Model and Kind.")
            { Details = details },
        };
    }

    /// <summary>A failure that the stream itself tells: an <c>error</c> object, nested or flat, or a bare text.</summary>
    public BridgeException Told(JsonElement error)
    {
        if (error.ValueKind == JsonValueKind.String) return Told(error.Text(), null, null);
        var (message, code, status) = ErrorShape.Read(error);
        return Told(message, code, status);
    }

    /// <summary>The same as a plain text.</summary>
    public BridgeException Told(string text)
    {
        var (message, code, status) = ErrorShape.Read(Encoding.UTF8.GetBytes(text));
        return Told(message, code, status);
    }

    /// <summary>The provider ended its answer with a reason that says that it failed.</summary>
    public BridgeException Finished(string reason) =>
        new(AgentErrorCodes.Failed, $"{Who}: the provider broke off its answer{Quote(reason, null)}.")
        {
            Retryable = true,
            Details = reason.Length <= 100 ? new JsonObject { ["providerCode"] = reason } : null,
        };

    private BridgeException Told(string? message, string? code, int? status)
    {
        var said = Quote(message, null);
        status ??= code switch
        {
            "rate_limit_exceeded" or "too_many_requests" or "rate_limit_error" or "overloaded_error" or "insufficient_quota"
                or "slow_down" => 429,
            "invalid_request_error" or "invalid_request" or "invalid_prompt" or "context_length_exceeded" => 400,
            _ => null,
        };
        var details = new JsonObject();
        if (status is not null) details["status"] = status;
        if (code is { Length: <= 100 }) details["providerCode"] = code;
        return status switch
        {
            429 => new BridgeException(AgentErrorCodes.Overloaded, $"{Who}: the provider takes no more requests at the moment{said}.")
            { Retryable = true, Details = details },
            >= 400 and < 500 and not (408 or 409 or 425) =>
                new BridgeException(AgentErrorCodes.RequestRefused, $"{Who}: the provider refused the request{said}.")
                { Details = details },
            _ => new BridgeException(AgentErrorCodes.Failed, $"{Who}: the provider failed{said}.") { Retryable = true, Details = details },
        };
    }

    private static TimeSpan? Milliseconds(string? header) =>
        double.TryParse(header, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var wait)
            ? TimeSpan.FromMilliseconds(Math.Min(wait, LongestRetryAfter.TotalMilliseconds))
            : null;

    /// <summary>Seconds or a date; null when it is neither. A date in the past means now.</summary>
    internal TimeSpan? RetryAfter(string? header)
    {
        if (string.IsNullOrWhiteSpace(header)) return null;
        TimeSpan wait;
        if (double.TryParse(header, NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite,
            CultureInfo.InvariantCulture, out var seconds))
            wait = seconds < LongestRetryAfter.TotalSeconds ? TimeSpan.FromSeconds(seconds) : LongestRetryAfter;
        else if (DateTimeOffset.TryParse(header, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var date))
            wait = date - time.GetUtcNow();
        else
            return null;
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestRetryAfter ? LongestRetryAfter : wait;
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(ProviderAnswer answer, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxBody];
        var length = 0;
        try
        {
            var (body, _) = await BodyForm.OpenAsync(answer.Body, answer.ContentEncoding, cancellationToken).ConfigureAwait(false);
            int read;
            while (length < MaxBody && (read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken).ConfigureAwait(false)) > 0) length += read;
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException or InvalidDataException)
        {
            // The status alone says enough.
        }

        return buffer.AsMemory(0, length);
    }

    private static string Quote(string? said, string? key)
    {
        if (string.IsNullOrWhiteSpace(said)) return "";
        if (key is not null) said = said.Replace(key, "***", StringComparison.Ordinal);
        var line = new StringBuilder(said.Trim().ReplaceLineEndings(" "));
        for (var i = 0; i < line.Length; i++) if (char.IsControl(line[i])) line[i] = ' ';
        return $": {SoundText.Cut(line.ToString(), MaxQuote, "…").TrimEnd('.')}";
    }

    private static Exception Root(Exception fault) => fault.GetBaseException();

    private static string Seconds(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");
}
