using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Tests.Unit.Responses;

/// <summary>Statuses that keep their meaning, methods and forms that are refused by name, pages of other origins, and clients that have gone.</summary>
public sealed class DoorMannersTests
{
    [Theory]
    [InlineData("AGENT_OVERLOADED", 429, null, 120, 429, "too_many_requests", "rate_limit_exceeded", "false")]
    [InlineData("AGENT_OVERLOADED", 429, "insufficient_quota", 2, 429, "too_many_requests", "insufficient_quota", null)]
    [InlineData("AGENT_REQUEST_REFUSED", 400, "context_length_exceeded", 0, 400, "invalid_request", "context_length_exceeded", "false")]
    [InlineData("AGENT_REQUEST_REFUSED", 422, null, 0, 422, "invalid_request", "agent_request_refused", "false")]
    [InlineData("AGENT_NOT_FOUND", 404, null, 0, 404, "not_found", "agent_not_found", "false")]
    [InlineData("AGENT_KEY_REFUSED", 401, null, 0, 403, "invalid_request", "agent_key_refused", "false")]
    [InlineData("AGENT_FAILED", 503, null, 3, 503, "model_error", "agent_failed", null)]
    [InlineData("AGENT_FAILED", 502, null, 0, 500, "model_error", "agent_failed", null)]
    public async Task AProvidersRefusal_KeepsItsMeaning(string code, int told, string? providerCode, int wait, int status, string type, string error, string? again)
    {
        var agent = new ScriptedAgent();
        var details = new JsonObject { ["status"] = told };
        if (providerCode is not null) details["providerCode"] = providerCode;
        agent.End(new BridgeException(code, "no") { Details = details, Retryable = again is null || wait > 0, RetryAfter = wait > 0 ? TimeSpan.FromSeconds(wait) : null });
        await using var door = await DoorUnderTest.StartAsync(agents: agent);
        using var response = await door.PostAsync("responses", """{"input":"x","model":"scripted"}""");
        Assert.Equal(status, (int)response.StatusCode);
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["error"]!;
        Assert.Equal((type, error), ((string)body["type"]!, (string)body["code"]!));
        Assert.Equal(wait > 0 ? TimeSpan.FromSeconds(wait) : null, response.Headers.RetryAfter?.Delta);
        Assert.Equal(wait > 0 ? $"{wait * 1000}" : null, Header(response, "Retry-After-Ms"));
        Assert.Equal(again, Header(response, "X-Should-Retry"));
    }

    [Theory]
    [InlineData("PUT", "responses", "POST, GET")]
    [InlineData("DELETE", "responses", "POST, GET")]
    [InlineData("GET", "responses/compact/x/y", null)]
    [InlineData("POST", "responses/resp_123456", "GET, DELETE")]
    [InlineData("GET", "responses/resp_123456/cancel", "POST")]
    [InlineData("POST", "models", "GET")]
    public async Task AMethodThatAPathDoesNotTake_Is405_AndAnUnknownPath404(string method, string path, string? allow)
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var response = await door.Http.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal(allow is null ? HttpStatusCode.NotFound : HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(allow, allow is null ? null : string.Join(", ", response.Content.Headers.Allow));
        Assert.Equal(allow is null ? "unknown_path" : "method_not_allowed", (string)JsonNode.Parse(await response.Content.ReadAsStringAsync())!["error"]!["code"]!);
    }

    [Theory]
    [InlineData("application/json", "gzip", 415)]
    [InlineData("application/json; charset=utf-16", null, 415)]
    [InlineData("multipart/form-data; boundary=x", null, 415)]
    [InlineData("application/json; charset=utf-8", "identity", 200)]
    [InlineData("application/x-www-form-urlencoded", null, 200)]
    public async Task AForm_ThatIsNotRead_Is415(string type, string? coding, int status)
    {
        await using var door = await DoorUnderTest.StartAsync();
        var content = new ByteArrayContent(Encoding.UTF8.GetBytes("""{"input":"x"}"""));
        content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        if (coding is not null) content.Headers.ContentEncoding.Add(coding);
        using var response = await door.Http.PostAsync("responses", content);
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData("http://localhost:3000", true)]
    [InlineData("https://evil.example", false)]
    public async Task PagesOfAllowedOrigins_MayCall(string origin, bool allowed)
    {
        await using var door = await DoorUnderTest.StartAsync();
        using var asked = new HttpRequestMessage(HttpMethod.Options, "responses");
        asked.Headers.Add("Origin", origin);
        asked.Headers.Add("Access-Control-Request-Method", "POST");
        asked.Headers.Add("Access-Control-Request-Headers", "authorization, content-type, x-stainless-os");
        asked.Headers.Authorization = null;
        using var preflight = await door.Http.SendAsync(asked);
        Assert.Equal(204, (int)preflight.StatusCode);
        Assert.Equal(allowed ? origin : null, Header(preflight, "Access-Control-Allow-Origin"));
        Assert.Equal(allowed ? "authorization, content-type, x-stainless-os" : null, Header(preflight, "Access-Control-Allow-Headers"));
        using var call = new HttpRequestMessage(HttpMethod.Post, "responses") { Content = new StringContent("""{"input":"x"}""") };
        call.Headers.Add("Origin", origin);
        using var response = await door.Http.SendAsync(call);
        Assert.Equal(allowed ? 200 : 403, (int)response.StatusCode);
        Assert.Equal(allowed ? origin : null, Header(response, "Access-Control-Allow-Origin"));
        Assert.Equal("Origin", Header(response, "Vary"));
    }

    [Fact]
    public async Task AnAgentThatIsAway_IsAnsweredAtOnce_AndHoldsNoSlot()
    {
        await using var door = await DoorUnderTest.StartAsync(agents: new ScriptedAgent { IsAway = true });
        using var response = await door.PostAsync("responses", """{"input":"x","model":"scripted","stream":true}""");
        Assert.Equal(503, (int)response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(0, door.Runs.Taken + door.Runs.Waiting);
    }

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : null;
}
