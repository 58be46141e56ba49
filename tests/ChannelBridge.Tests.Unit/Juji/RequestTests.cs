using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Errors;
using Microsoft.AspNetCore.Http;

namespace ChannelBridge.Tests.Unit.Juji;

/// <summary>What goes over HTTP, and that it goes nowhere else.</summary>
public sealed class RequestTests
{
    [Fact]
    public async Task Request_SendsQueryAndBody_AndGivesTheAnswer()
    {
        await using var lab = await JujiLab.StartAsync();
        await lab.Community.NextConnectionAsync();
        var answer = await lab.CallAsync("juji.request", new JsonObject
        {
            ["method"] = "post",
            ["path"] = "/task/join",
            ["query"] = new JsonObject { ["task_id"] = 1, ["note"] = "a&b=c", ["tag"] = new JsonArray("x", "y") },
            ["body"] = new JsonObject { ["a"] = 1 },
        });
        Assert.Equal(200, (int)answer["status"]!);
        var (verb, path, body) = lab.Community.Requests[^1];
        Assert.Equal(("POST", "/task/join?task_id=1&note=a%26b%3Dc&tag=x&tag=y"), (verb, path));
        Assert.Equal(1, (int)body!["a"]!);
    }

    [Theory]
    [InlineData("//evil.example/x")]
    [InlineData("http://evil.example/x")]
    [InlineData("https:/evil.example")]
    [InlineData("/../x")]
    [InlineData("/a/../../x")]
    [InlineData("/a/%2e%2e/x")]
    [InlineData("/a/%252e%252e/x")]
    [InlineData("/a/..\\x")]
    [InlineData("/a//x")]
    [InlineData("/\\evil.example")]
    [InlineData("/a?b=c")]
    [InlineData("/a#b")]
    [InlineData("@evil.example")]
    [InlineData("")]
    public async Task Path_ThatLeadsElsewhere_IsRefused_AndNothingIsSent(string path)
    {
        await using var lab = await JujiLab.StartAsync((_, account) => account.BaseUrl += "/base");
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("juji.request", new JsonObject { ["path"] = path }));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
        Assert.DoesNotContain(lab.Community.Requests, static request => request.Verb == "GET");
    }

    [Fact]
    public async Task Redirect_WithinTheCommunity_IsFollowed_AndElsewhereIsNot()
    {
        await using var elsewhere = await ChannelBridge.Tests.Juji.FakeCommunity.StartAsync();
        await using var lab = await JujiLab.StartAsync(before: community => community.Rest = async (context, _) =>
        {
            context.Response.StatusCode = 307;
            if (context.Request.Path == "/near") context.Response.Headers.Location = "/arrived";
            else if (context.Request.Path == "/far") context.Response.Headers.Location = elsewhere.BaseUrl + "/x";
            else
            {
                context.Response.StatusCode = 200;
                await context.Response.WriteAsync("plain");
            }
        });
        Assert.Equal("plain", (string)(await lab.CallAsync("juji.request", new JsonObject { ["path"] = "/near" }))["text"]!);
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("juji.request", new JsonObject { ["path"] = "/far" }));
        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
        Assert.Empty(elsewhere.Requests);
    }

    [Fact]
    public async Task Refusal_TellsTheStatusAndTheCommunitysWords()
    {
        await using var lab = await JujiLab.StartAsync(before: community => community.Rest = async (context, _) =>
        {
            context.Response.StatusCode = 422;
            await context.Response.WriteAsync("""{"detail":"title is missing"}""");
        });
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("juji.request", new JsonObject { ["method"] = "POST", ["path"] = "/content/publish" }));
        Assert.Equal("JUJI_REQUEST_FAILED", fault.Code);
        Assert.Equal(422, (int)fault.Details!["status"]!);
        Assert.Contains("title is missing", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capabilities_AreAskedOnce_UntilTheyAreWantedFresh()
    {
        await using var lab = await JujiLab.StartAsync();
        for (var i = 0; i < 3; i++) await lab.CallAsync("juji.capabilities", []);
        await lab.ToolAsync("juji_capabilities", []);
        Assert.Single(lab.Community.Requests, static request => request.Path == "/message/capabilities");
        await lab.CallAsync("juji.capabilities", new JsonObject { ["fresh"] = true });
        Assert.Equal(2, lab.Community.Requests.Count(static request => request.Path == "/message/capabilities"));
        Assert.Equal("/message/topics", (string)(await lab.CallAsync("juji.topics", []))["result"]!["path"]!);
    }

    [Fact]
    public async Task Tool_CallsAnAction()
    {
        await using var lab = await JujiLab.StartAsync();
        var side = await lab.Community.NextConnectionAsync();
        var call = lab.ToolAsync("juji_call", new JsonObject { ["action"] = "skills/list" });
        await side.AnswerAsync(await side.NextCallAsync(), new JsonArray());
        Assert.Equal("skills/list", (string)(await call)["action"]!);
    }
}
