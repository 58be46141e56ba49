using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChannelBridge.Abstractions.Errors;
using ChannelBridge.Channels.InstaClaw.Wire;

namespace ChannelBridge.Channels.InstaClaw.Registration;

/// <summary>
/// The platform's HTTP API: registration, task pool, artifacts. Redirects aren't followed, because the secrets would go along. Errors tell the status and the
/// platform's own word, with every secret blacked out.
/// </summary>
internal sealed class PlatformApi(HttpClient http, Endpoints endpoints, InstaClawOptions options, TimeProvider time)
{
    private const int MaxWord = 200;

    /// <summary>A client for all calls.</summary>
    public static HttpClient NewClient() => new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    {
        Timeout = Timeout.InfiniteTimeSpan,
        MaxResponseContentBufferSize = 8 << 20,
    };

    /// <summary>Registers an identity and gives its profile, secrets included.</summary>
    /// <param name="fields">What it is to be.</param>
    /// <param name="key">Names the attempt, so that the platform can tell a repeated one.</param>
    /// <param name="sessionToken">The activation session's token, or null.</param>
    /// <param name="cancellationToken">Gives it up.</param>
    public async Task<(Profile Profile, string? SessionToken)> RegisterAsync(
        ProfileFields fields, string key, string? sessionToken, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, endpoints.ProfileCreate)
        {
            Content = Json(JsonSerializer.Serialize(fields, InstaClawJson.Relaxed.ProfileFields)),
        };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        if (sessionToken is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", sessionToken);
        var answer = await SendAsync(request, options.HttpTimeout, [sessionToken], cancellationToken).ConfigureAwait(false);
        var (profile, token) = ReadProfile(answer);
        if (profile is not { IsComplete: true })
        {
            throw new BridgeException(ErrorCodes.Unavailable, "The platform's answer to the registration has no app_key and app_secret in it.") { Retryable = true };
        }

        // What the platform doesn't repeat is what was asked for.
        if (profile.Name.Length == 0) profile.Name = fields.Name ?? "";
        if (profile.Description.Length == 0) profile.Description = fields.Description ?? "";
        if (profile.Avatar.Length == 0) profile.Avatar = fields.Avatar ?? "";
        if (profile.InstanceType.Length == 0) profile.InstanceType = fields.InstanceType ?? "";
        if (profile.SceneTags.Count == 0) profile.SceneTags = fields.SceneTags ?? [];
        if (profile.CustomTags.Count == 0) profile.CustomTags = fields.CustomTags ?? [];
        if (profile.HourlyRate == 0) profile.HourlyRate = fields.HourlyRate ?? 0;
        return (profile, token);
    }

    /// <summary>Reads from the task pool.</summary>
    public Task<JsonElement> GetTasksAsync(Profile profile, string query, CancellationToken cancellationToken) =>
        TaskAsync(profile, HttpMethod.Get, options.TaskListPath + query, null, cancellationToken);

    /// <summary>Takes a task.</summary>
    public Task<JsonElement> GrabAsync(Profile profile, string taskId, CancellationToken cancellationToken) =>
        TaskAsync(profile, HttpMethod.Post, Path(options.GrabTaskPath, taskId), "{}", cancellationToken);

    /// <summary>Posts a task's result.</summary>
    public Task<JsonElement> DeliverAsync(Profile profile, string taskId, string body, CancellationToken cancellationToken) =>
        TaskAsync(profile, HttpMethod.Post, Path(options.DeliverablePath, taskId), body, cancellationToken);

    /// <summary>Posts a file.</summary>
    public async Task<JsonElement> UploadAsync(
        Profile profile, Stream file, string fileName, string mimeType, IEnumerable<(string Name, string Value)> fields, CancellationToken cancellationToken)
    {
        using var form = new MultipartFormDataContent();
        foreach (var (name, value) in fields)
        {
            form.Add(new StringContent(value, Encoding.UTF8), name);
        }

        var part = new StreamContent(file);
        part.Headers.ContentType = MediaTypeHeaderValue.Parse(mimeType);
        form.Add(part, "file", fileName);
        using var request = Signed(profile, HttpMethod.Post, endpoints.ArtifactUpload);
        request.Content = form;
        return await SendAsync(request, options.HttpTimeout * 10, [profile.AppSecret, profile.AppKey], cancellationToken).ConfigureAwait(false);
    }

    private async Task<JsonElement> TaskAsync(Profile profile, HttpMethod method, string path, string? body, CancellationToken cancellationToken)
    {
        using var request = Signed(profile, method, new Uri(endpoints.TaskApi, endpoints.TaskApi.AbsolutePath.TrimEnd('/') + path));
        if (body is not null) request.Content = Json(body);
        return await SendAsync(request, options.HttpTimeout, [profile.AppSecret, profile.AppKey], cancellationToken).ConfigureAwait(false);
    }

    private static HttpRequestMessage Signed(Profile profile, HttpMethod method, Uri address)
    {
        var request = new HttpRequestMessage(method, address);
        foreach (var (name, value) in profile.Headers) request.Headers.TryAddWithoutValidation(name, value);
        return request;
    }

    private async Task<JsonElement> SendAsync(HttpRequestMessage request, TimeSpan limit, string?[] secrets, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        string text;
        HttpStatusCode status;
        TimeSpan? retryAfter;
        try
        {
            using var response = await http.SendAsync(request, linked.Token).ConfigureAwait(false);
            status = response.StatusCode;
            retryAfter = response.Headers.RetryAfter?.Delta;
            text = await response.Content.ReadAsStringAsync(linked.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new BridgeException(ErrorCodes.Timeout, $"The platform didn't answer within {limit.TotalSeconds:0.###} s.") { Retryable = true };
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            throw new BridgeException(ErrorCodes.Unavailable, $"The platform at {request.RequestUri!.Authority} can't be reached.", fault) { Retryable = true };
        }

        var answer = Parse(text);
        if ((int)status is >= 200 and < 300) return answer;
        throw Refused(status, Word(answer, secrets), retryAfter);
    }

    private static BridgeException Refused(HttpStatusCode status, string? word, TimeSpan? retryAfter)
    {
        var code = status switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ErrorCodes.Forbidden,
            HttpStatusCode.NotFound => ErrorCodes.NotFound,
            HttpStatusCode.Conflict => ErrorCodes.Conflict,
            HttpStatusCode.RequestEntityTooLarge => ErrorCodes.PayloadTooLarge,
            HttpStatusCode.TooManyRequests => ErrorCodes.RateLimited,
            >= HttpStatusCode.InternalServerError => ErrorCodes.Unavailable,
            _ => ErrorCodes.InvalidRequest,
        };
        return new BridgeException(code, $"The platform answered {(int)status}{(word is null ? "" : $": {word}")}")
        {
            Retryable = code is ErrorCodes.RateLimited or ErrorCodes.Unavailable,
            RetryAfter = retryAfter,
        };
    }

    /// <summary>What the platform says of an error, cut and without secrets.</summary>
    private static string? Word(JsonElement answer, string?[] secrets)
    {
        var word = Text(answer, "message") ?? Text(answer, "msg") ?? Text(answer, "error")
            ?? (answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("error", out var error) ? Text(error, "message") : null);
        if (string.IsNullOrWhiteSpace(word)) return null;
        foreach (var secret in secrets)
        {
            if (!string.IsNullOrEmpty(secret)) word = word.Replace(secret, "•••", StringComparison.Ordinal);
        }

        word = word.ReplaceLineEndings(" ");
        return word.Length <= MaxWord ? word : string.Concat(word.AsSpan(0, MaxWord), "…");
    }

    private static (Profile? Profile, string? SessionToken) ReadProfile(JsonElement answer)
    {
        foreach (var candidate in Candidates(answer))
        {
            if (candidate.ValueKind != JsonValueKind.Object || !candidate.TryGetProperty("app_key", out _)) continue;
            try
            {
                return (candidate.Deserialize(InstaClawJson.Default.Profile), Text(candidate, "session_token") ?? Text(answer, "session_token"));
            }
            catch (JsonException)
            {
                return (null, null);
            }
        }

        return (null, null);
    }

    /// <summary>The answer itself, or where such answers usually wrap it.</summary>
    private static IEnumerable<JsonElement> Candidates(JsonElement answer)
    {
        yield return answer;
        foreach (var name in new[] { "data", "profile", "result" })
        {
            if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty(name, out var inner)) continue;
            yield return inner;
            if (inner.ValueKind == JsonValueKind.Object && inner.TryGetProperty("profile", out var profile)) yield return profile;
        }
    }

    private static JsonElement Parse(string text)
    {
        try
        {
            return text.Length == 0 ? default : JsonSerializer.Deserialize(text, InstaClawJson.Default.JsonElement);
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string? Text(JsonElement element, string name) => Messages.Frame.Text(element, name);

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static string Path(string template, string taskId) => template.Replace("{task_id}", Uri.EscapeDataString(taskId), StringComparison.Ordinal);
}
