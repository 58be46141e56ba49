using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;
using ChannelBridge.Tests.Shared.A2A;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>What the doors answer to requests that no SDK sends.</summary>
public sealed class DoorTests
{
    private const string Good =
        """{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"echo"}]}}}""";

    public static TheoryData<string, int, string> Wrong => new()
    {
        { "", -32700, "null" },
        { "no json", -32700, "null" },
        { "{", -32700, "null" },
        { Good + "x", -32700, "null" },
        { Nested(70), -32700, "null" },
        { "[]", -32600, "null" },
        { "7", -32600, "null" },
        { """{"id":1,"method":"GetTask","params":{}}""", -32600, "1" },
        { """{"jsonrpc":"1.0","id":1,"method":"GetTask"}""", -32600, "1" },
        { """{"jsonrpc":"2.0","id":1}""", -32600, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":5}""", -32600, "1" },
        { """{"jsonrpc":"2.0","id":{},"method":"GetTask"}""", -32600, "null" },
        { """{"jsonrpc":"2.0","id":1,"method":"GetTask","params":[]}""", -32600, "1" },
        { """{"jsonrpc":"2.0","id":"a","method":"Dance","params":{}}""", -32601, "\"a\"" },
        { """{"jsonrpc":"2.0","id":1.5,"method":"GetTask"}""", -32602, "1.5" },
        { """{"jsonrpc":"2.0","id":null,"method":"GetTask","params":{}}""", -32602, "null" },
        { """{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":7}}""", -32602, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"t","historyLength":-1}}""", -32602, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{"pageSize":101}}""", -32602, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"ListTasks","params":{"status":"NOTHING"}}""", -32602, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"nobody"}}""", -32001, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"CancelTask","params":{"id":"nobody"}}""", -32001, "1" },
        { """{"jsonrpc":"2.0","id":1,"method":"SubscribeToTask","params":{"id":"nobody"}}""", -32001, "1" },
        { Good.Replace("echo", "crash", StringComparison.Ordinal), -32603, "1" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public async Task AWrongRequest_IsAnsweredWithItsError_AndTheConnectionGoesOn(string body, int code, string id)
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };

        var answer = await PostAsync(http, body);
        var error = answer.GetProperty("error");
        Assert.Equal((code, id), (error.GetProperty("code").GetInt32(), answer.GetProperty("id").GetRawText()));
        Assert.DoesNotContain("secret", answer.GetRawText(), StringComparison.Ordinal);
        Assert.True((await PostAsync(http, Good)).TryGetProperty("result", out _));
    }

    [Fact]
    public async Task WhatIsNotUtf8_IsNoJson()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var body = Encoding.UTF8.GetBytes(Good);
        body[^20] = 0xff;

        Assert.Equal(-32700, (await PostAsync(http, body, "1.0")).GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task AWrongMember_IsNamed()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var answer = await PostAsync(http, Good.Replace("\"echo\"", "5", StringComparison.Ordinal));

        Assert.Contains("message.parts[0].text", answer.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    /// <summary>A megabyte of tiny members costs far more to take apart than to send: it is refused before, and the next request is served.</summary>
    [Fact]
    public async Task AHundredThousandMembers_AreRefused()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var many = string.Concat(Enumerable.Range(0, 100_000).Select(static i => $"\"m{i}\":1,"));

        Assert.Equal(-32600, (await PostAsync(http, "{" + many + Good[1..])).GetProperty("error").GetProperty("code").GetInt32());
        Assert.True((await PostAsync(http, Good)).TryGetProperty("result", out _));
    }

    [Theory]
    [InlineData("2.0")]
    [InlineData("9")]
    [InlineData("x")]
    public async Task AVersionThatNobodySpeaks_IsRefusedWithThoseThatAreSpoken(string version)
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var error = (await PostAsync(http, Encoding.UTF8.GetBytes(Good), version)).GetProperty("error");

        Assert.Equal(-32009, error.GetProperty("code").GetInt32());
        Assert.Contains("0.3 and 1.0", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AMethodOf10_WithoutAVersion_IsTakenAsSuch()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };

        var task = (await PostAsync(http, Encoding.UTF8.GetBytes(Good), "")).GetProperty("result").GetProperty("task");
        Assert.Equal("TASK_STATE_COMPLETED", task.GetProperty("status").GetProperty("state").GetString());
    }

    [Theory]
    [InlineData("1.0", "SendMessage", "ROLE_USER", "\"text\":\"more\"", -32004)]
    [InlineData("0.3", "message/send", "user", "\"kind\":\"text\",\"text\":\"more\"", -32600)]
    public async Task AMessageToAnEndedTask_IsRefusedAsEachVersionHasIt(string version, string method, string role, string part, int code)
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var id = (await PostAsync(http, Good)).GetProperty("result").GetProperty("task").GetProperty("id").GetString();
        var more =
            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"" + method + "\",\"params\":{\"message\":{\"messageId\":\"m2\",\"taskId\":\"" + id
            + "\",\"role\":\"" + role + "\",\"parts\":[{" + part + "}]}}}";

        var answer = await PostAsync(http, Encoding.UTF8.GetBytes(more), version);
        Assert.Equal(code, answer.GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task AnotherContentType_IsRefused()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        using var content = new StringContent(Good, Encoding.UTF8, "text/plain");
        using var answer = await http.PostAsync(new Uri("a2a", UriKind.Relative), content);

        Assert.Equal(-32005, Json(await answer.Content.ReadAsStringAsync()).GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task ABatch_IsAnsweredInItsOrder_WithinItsBound()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var answers = await PostAsync(http, $"[{Good},7,{Good.Replace("\"id\":1", "\"id\":\"b\"", StringComparison.Ordinal)}]");
        Assert.Equal(["1", "null", "\"b\""], answers.EnumerateArray().Select(static one => one.GetProperty("id").GetRawText()));

        var tooMany = await PostAsync(http, $"[{string.Join(',', Enumerable.Repeat(Good, 31))}]");
        Assert.Equal(-32600, tooMany.GetProperty("error").GetProperty("code").GetInt32());
        var stream = await PostAsync(http, $"[{Good.Replace("SendMessage", "SendStreamingMessage", StringComparison.Ordinal)}]");
        Assert.Equal(-32004, stream[0].GetProperty("error").GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task AFaultOfTheStore_IsToldWithItsCode_OverBothTransports()
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        var error = (await PostAsync(http, Good.Replace("echo", "full", StringComparison.Ordinal))).GetProperty("error");
        Assert.Equal(-32603, error.GetProperty("code").GetInt32());
        Assert.Equal("STORE_FULL", error.GetProperty("data").GetProperty("code").GetString());

        using var content = new StringContent(
            """{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"full"}]}}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri("a2a/message:send", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        var said = ErrorBodies.Read(Json(await answer.Content.ReadAsStringAsync()), 503)!;
        Assert.Equal(("STORE_FULL", true), (said.Code, said.Retryable));
    }

    [Theory]
    [InlineData("GET", "a2a/tasks/nobody", 404)]
    [InlineData("GET", "a2a/v1/tasks/nobody", 404)]
    [InlineData("POST", "a2a/tasks/nobody:cancel", 404)]
    [InlineData("GET", "a2a/tasks/nobody:subscribe", 404)]
    [InlineData("POST", "a2a/tasks/nobody:subscribe", 404)]
    [InlineData("GET", "a2a/nothing", 404)]
    [InlineData("GET", "a2a/tasks?pageSize=0", 400)]
    [InlineData("GET", "a2a/tasks?pageSize=many", 400)]
    [InlineData("GET", "a2a/tasks?status=ODD", 400)]
    [InlineData("GET", "a2a/tasks?includeArtifacts=perhaps", 400)]
    [InlineData("GET", "a2a/tasks?statusTimestampAfter=yesterday", 400)]
    [InlineData("GET", "a2a/tasks", 200)]
    [InlineData("GET", "a2a/agent/tasks", 200)]
    [InlineData("GET", "a2a/extendedAgentCard", 200)]
    [InlineData("GET", "a2a/v1/card", 200)]
    [InlineData("POST", "a2a/message:send", 400)]
    [InlineData("DELETE", "a2a/tasks/1", 404)]
    public async Task APlainRequest_HasItsStatus(string verb, string path, int status)
    {
        await using var server = await DoorServer.StartAsync();
        using var http = new HttpClient { BaseAddress = server.Url };
        using var request = new HttpRequestMessage(new HttpMethod(verb), new Uri(path, UriKind.Relative));
        using var answer = await http.SendAsync(request);

        Assert.Equal(status, (int)answer.StatusCode);
        if (status >= 400) Assert.NotNull(ErrorBodies.Read(Json(await answer.Content.ReadAsStringAsync()), status));
    }

    [Fact]
    public async Task AnotherClientsTask_IsNotFound_InTheSameWords()
    {
        await using var server = await DoorServer.StartAsync();
        using var mine = new HttpClient { BaseAddress = server.Url };
        mine.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a");
        using var other = new HttpClient { BaseAddress = server.Url };
        var id = (await PostAsync(mine, Good)).GetProperty("result").GetProperty("task").GetProperty("id").GetString()!;
        var get = $$$"""{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"{{{id}}}"}}""";

        Assert.True((await PostAsync(mine, get)).TryGetProperty("result", out _));
        Assert.Equal(
            (await PostAsync(other, get.Replace(id, "nobody", StringComparison.Ordinal))).GetRawText(),
            (await PostAsync(other, get)).GetRawText());
    }

    private static Task<JsonElement> PostAsync(HttpClient http, string body) => PostAsync(http, Encoding.UTF8.GetBytes(body), "1.0");

    private static async Task<JsonElement> PostAsync(HttpClient http, byte[] body, string version)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("a2a", UriKind.Relative))
        {
            Content = new ByteArrayContent(body),
        };
        if (version.Length > 0) request.Headers.Add(Versions.Header, version);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await http.SendAsync(request);
        return Json(await answer.Content.ReadAsStringAsync());
    }

    private static JsonElement Json(string text) => Records.Json(text);

    private static string Nested(int depth) => Good[..^1] + ",\"x\":" + new string('[', depth) + new string(']', depth) + "}";
}
