using System.Text.Json.Nodes;
using ChannelBridge.Abstractions.Access;
using ChannelBridge.Abstractions.Errors;

namespace ChannelBridge.Tests.Unit.InstaClaw;

/// <summary>From no profile to a connection, and the tools.</summary>
public sealed class RegistrationTests
{
    [Fact]
    public async Task Unregistered_TheAgentProposes_TheUserConfirms_AndTheNextLookConnects()
    {
        await using var lab = await ChannelLab.StartAsync(registered: false);
        lab.Runs.Script = ProposeAsync;
        var pending = await UntilStatusAsync(lab, "pending");
        Assert.Equal("Scribe", (string)pending["proposal"]!["name"]!);
        Assert.Contains("insta_propose_registration", Assert.Single(lab.Runs.Started).Message!.Text, StringComparison.Ordinal);

        // It waits, also over a restart, and nobody asks the agent meanwhile.
        await lab.RestartAsync();
        // The account begins again when this host has it.
        var again = await UntilStatusAsync(lab, "pending");
        Assert.Equal((string)pending["proposal"]!["proposalId"]!, (string)again["proposal"]!["proposalId"]!);
        Assert.Equal(0, lab.Platform.Attempts);

        var done = await lab.CallAsync("instaclaw.registration.submit", new JsonObject { ["name"] = "Scribe 2", ["tags"] = new JsonArray("letters"), ["type"] = "self-hosted" });
        Assert.Equal("registered", (string)done["status"]!);
        Assert.DoesNotContain("secret-of-the-platform", done.ToJsonString(), StringComparison.Ordinal);
        var side = await lab.ConnectedAsync();
        Assert.Equal(("key-1", "secret-of-the-platform-1"), (side.Headers["x-app-key"], side.Headers["x-app-secret"]));
        var call = Assert.Single(lab.Platform.Calls);
        Assert.Equal(("Scribe 2", "I write.", "self-hosted"), ((string)call.Body!["name"]!, (string)call.Body["description"]!, (string)call.Body["instance_type"]!));
        Assert.Equal("letters", (string)call.Body["custom_tags"]![0]!);
        Assert.DoesNotContain(lab.Log, line => line.Contains("secret-of-the-platform", StringComparison.Ordinal));

        var profile = JsonNode.Parse(await File.ReadAllTextAsync(lab.ProfilePath))!.AsObject();
        Assert.Equal(
            ["app_key", "app_secret", "name", "description", "avatar", "claw_id", "hourly_rate", "scene_tags", "custom_tags", "instance_type"],
            profile.Select(member => member.Key));
        if (OperatingSystem.IsWindows()) return;
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(lab.ProfilePath));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Path.GetDirectoryName(lab.ProfilePath)!));
    }

    [Fact]
    public async Task Cancelled_WaitsAndProposesAgain()
    {
        await using var lab = await ChannelLab.StartAsync(registered: false);
        lab.Runs.Script = ProposeAsync;
        var first = (string)(await UntilStatusAsync(lab, "pending"))["proposal"]!["proposalId"]!;
        var cancelled = await lab.CallAsync("instaclaw.registration.cancel", new JsonObject { ["proposalId"] = first });
        Assert.True((bool)cancelled["cancelled"]!);
        Assert.NotNull((await lab.CallAsync("instaclaw.registration.get", []))["nextProposalAt"]);
        var second = (string)(await UntilStatusAsync(lab, "pending"))["proposal"]!["proposalId"]!;
        Assert.NotEqual(first, second);
        Assert.Empty(lab.Platform.Calls);
    }

    [Fact]
    public async Task PlatformFails_TheStateIsClearedAndTheNextLookProposesAgain()
    {
        await using var lab = await ChannelLab.StartAsync(registered: false);
        lab.Runs.Script = ProposeAsync;
        var first = (string)(await UntilStatusAsync(lab, "pending"))["proposal"]!["proposalId"]!;
        lab.Platform.Fail["/profiles/create"] = 500;
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("instaclaw.registration.submit", []));
        Assert.Equal(ErrorCodes.Unavailable, fault.Code);
        Assert.Contains("500", fault.Message, StringComparison.Ordinal);
        var second = (string)(await UntilStatusAsync(lab, "pending"))["proposal"]!["proposalId"]!;
        Assert.NotEqual(first, second);
        lab.Platform.Fail.Clear();
        await lab.CallAsync("instaclaw.registration.submit", []);
        await lab.ConnectedAsync();
    }

    [Fact]
    public async Task ProfileGone_TheConnectionIsClosed_AndAnotherProfileConnectsAsItself()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.AutoPropose = false);
        var side = await lab.ConnectedAsync();
        File.Delete(lab.ProfilePath);
        await side.Ended.WaitAsync(ChannelLab.Patience);
        await lab.UntilAsync(diagnostics => (string)diagnostics["state"]! == "waiting" && (string)diagnostics["registration"]! == "unregistered");
        lab.WriteProfile("key-9", "secret-9");
        Assert.Equal("key-9", (await lab.ConnectedAsync()).Headers["x-app-key"]);
    }

    [Fact]
    public async Task BrokenProfile_IsSaidOnceAndNeverReplaced()
    {
        await using var lab = await ChannelLab.StartAsync(registered: false);
        await UntilStatusAsync(lab, "unregistered");
        Directory.CreateDirectory(Path.GetDirectoryName(lab.ProfilePath)!);
        await File.WriteAllTextAsync(lab.ProfilePath, "{ half");
        await lab.UntilAsync(diagnostics => ((string?)diagnostics["lastError"])?.Contains("profile.json", StringComparison.Ordinal) == true);
        var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("instaclaw.registration.submit", new JsonObject { ["name"] = "X" }));
        Assert.Equal(ErrorCodes.Conflict, fault.Code);
        Assert.Equal("{ half", await File.ReadAllTextAsync(lab.ProfilePath));
        Assert.Single(lab.Log, line => line.Contains("can't be used", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Form_WithFaults_IsRefusedBeforeThePlatformHearsOfIt()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.AutoPropose = false, registered: false);
        foreach (var form in new JsonObject[]
        {
            [], new() { ["name"] = new string('x', 65) }, new() { ["name"] = "X", ["avatar"] = "file:///etc/passwd" }, new() { ["name"] = "X", ["hourly_rate"] = -1 },
            new() { ["name"] = "X", ["proposalId"] = "prop_unknown" },
        })
        {
            await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("instaclaw.registration.submit", form));
        }

        Assert.Empty(lab.Platform.Calls);
        Assert.False((bool)(await lab.CallAsync("instaclaw.registration.cancel", []))["cancelled"]!);
    }

    [Fact]
    public async Task SessionToken_IsKeptOwnerOnly_AndAuthorisesTheRegistration()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.AutoPropose = false, registered: false);
        await lab.CallAsync("instaclaw.registration.submit", new JsonObject { ["name"] = "X", ["session_token"] = "activation-1" });
        Assert.Equal("Bearer activation-1", Assert.Single(lab.Platform.Calls).Headers["authorization"]);
        var path = Path.Combine(lab.Folder, ".insta", ".activate_session");
        Assert.Equal("activation-1", (string)JsonNode.Parse(await File.ReadAllTextAsync(path))!["session_token"]!);
        if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        Assert.DoesNotContain(lab.Log, line => line.Contains("activation-1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Agent_RegisteringItself_OnlyProposes()
    {
        await using var lab = await ChannelLab.StartAsync(options => options.AutoPropose = false, registered: false);
        var proposed = await lab.ToolAsync("insta_register_identity", new JsonObject { ["name"] = "Rogue" }, "agent:main:instaclaw:default:s1");
        Assert.Equal("pending", (string)proposed["status"]!);
        Assert.Empty(lab.Platform.Calls);
        var registered = await lab.CallAsync("instaclaw.tools.insta_register_identity", []);
        Assert.Equal("registered", (string)registered["status"]!);
        Assert.Equal("Rogue", (string)(await lab.ToolAsync("insta_get_plugin_profile", []))["profile"]!["name"]!);
    }

    [Fact]
    public async Task Tools_WorkOnTheTaskPool_WithTheAccountsCredentials()
    {
        await using var lab = await ChannelLab.StartAsync();
        Assert.Equal(
            ["insta_get_plugin_profile", "insta_propose_registration", "insta_register_identity", "list-tasks", "grab-task", "submit-deliverable", "upload-artifact"],
            lab.ToolNames);
        foreach (var tool in lab.ToolNames) Assert.Contains(lab.Methods, method => method.Name == "instaclaw.tools." + tool);

        var tasks = await lab.CallAsync("instaclaw.tools.list-tasks", new JsonObject { ["status"] = "open & free", ["pageSize"] = 5 });
        Assert.Equal("t1", (string)tasks["data"]!["tasks"]![0]!["task_id"]!);
        Assert.Equal("grabbed", (string)(await lab.ToolAsync("grab-task", new JsonObject { ["taskId"] = "t1" }))["data"]!["status"]!);
        var delivered = await lab.ToolAsync("submit-deliverable", new JsonObject { ["taskId"] = "t1", ["content"] = "done", ["artifactIds"] = new JsonArray("a1") });
        Assert.Equal("d1", (string)delivered["data"]!["deliverable_id"]!);
        Assert.Equal(
            ["/tasks?status=open%20%26%20free&page_size=5", "/tasks/t1/grab", "/tasks/t1/deliverables"], lab.Platform.Calls.Select(call => call.Path));
        Assert.All(lab.Platform.Calls, call => Assert.Equal("secret-0", call.Headers["x-app-secret"]));

        lab.Platform.Fail["/tasks/t1/grab"] = 409;
        Assert.Equal(ErrorCodes.Conflict, (await Assert.ThrowsAsync<BridgeException>(() => lab.ToolAsync("grab-task", new JsonObject { ["taskId"] = "t1" }))).Code);
        await Assert.ThrowsAsync<BridgeException>(() => lab.ToolAsync("grab-task", new JsonObject { ["taskId"] = ".." }));
        await Assert.ThrowsAsync<BridgeException>(() => lab.ToolAsync("list-tasks", [], "agent:main:instaclaw:nobody:s1"));
    }

    [Fact]
    public async Task Upload_TakesFilesOfTheAllowedFoldersOnly_WhereverLinksLead()
    {
        await using var lab = await ChannelLab.StartAsync();
        var root = Path.Combine(lab.Folder, ".insta", "artifacts");
        Directory.CreateDirectory(Path.Combine(root, "sub"));
        await File.WriteAllTextAsync(Path.Combine(root, "sub", "result.md"), "# Done");
        var uploaded = await lab.ToolAsync("upload-artifact", new JsonObject { ["taskId"] = "t1", ["filePath"] = "sub/result.md" });
        Assert.Equal("a1", (string)uploaded["data"]!["artifact_id"]!);
        var call = Assert.Single(lab.Platform.Calls);
        Assert.Equal(("/artifact/upload-and-bind", "result.md", "t1", (string)uploaded["sha256"]!), (call.Path, call.FileName, call.Fields["task_id"], call.FileHash));

        var secret = Path.Combine(lab.Folder, "outside.txt");
        await File.WriteAllTextAsync(secret, "secret");
        File.CreateSymbolicLink(Path.Combine(root, "link.txt"), secret);
        File.CreateSymbolicLink(Path.Combine(root, "relative.txt"), "../../outside.txt");
        Directory.CreateSymbolicLink(Path.Combine(root, "folder"), lab.Folder);
        Directory.CreateSymbolicLink(Path.Combine(root, "loop"), Path.Combine(root, "loop"));
        Directory.CreateDirectory(Path.Combine(lab.Folder, ".insta", "artifacts-not"));
        await File.WriteAllTextAsync(Path.Combine(lab.Folder, ".insta", "artifacts-not", "x.txt"), "x");
        foreach (var path in new[]
        {
            secret, "/etc/passwd", "../../outside.txt", "link.txt", "relative.txt", "folder/outside.txt", "loop/x", lab.ProfilePath, "/proc/self/environ",
            "../artifacts-not/x.txt", "missing.txt", "sub", "", "a\0b",
        })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.ToolAsync("upload-artifact", new JsonObject { ["taskId"] = "t1", ["filePath"] = path }));
            Assert.True(fault.Code is ErrorCodes.Forbidden or ErrorCodes.InvalidRequest, path);
        }

        // A link that stays inside is fine.
        File.CreateSymbolicLink(Path.Combine(root, "inside.md"), Path.Combine(root, "sub", "result.md"));
        await lab.ToolAsync("upload-artifact", new JsonObject { ["taskId"] = "t1", ["filePath"] = "inside.md" });
        Assert.Equal(2, lab.Platform.Calls.Count);
    }

    [Fact]
    public async Task Methods_HaveTheScopesThatTheirWorkNeeds()
    {
        await using var lab = await ChannelLab.StartAsync();
        var scopes = lab.Methods.ToDictionary(method => method.Name, method => method.Scope);
        Assert.Equal(Scopes.Read, scopes["instaclaw.registration.get"]);
        Assert.Equal(Scopes.Write, scopes["instaclaw.registration.submit"]);
        Assert.Equal(Scopes.Write, scopes["instaclaw.registration.cancel"]);
        Assert.Equal(Scopes.Write, scopes["instaclaw.tools.upload-artifact"]);
        Assert.Equal(Scopes.Read, scopes["instaclaw.tools.list-tasks"]);
    }

    [Fact]
    public async Task Accounts_HaveFoldersAndConnectionsOfTheirOwn()
    {
        await using var lab = await ChannelLab.StartAsync(
            options =>
            {
                options.AutoPropose = false;
                options.Accounts["Shop"] = new();
                options.Accounts["Desk"] = new();
                options.Accounts["Off"] = new() { Enabled = false };
            },
            registered: false);
        await lab.CallAsync("instaclaw.registration.submit", new JsonObject { ["accountId"] = "SHOP", ["name"] = "Shop" });
        Assert.True(File.Exists(Path.Combine(lab.Folder, "accounts", "shop", ".insta", "config", "profile.json")));
        var side = await lab.ConnectedAsync();
        await side.SendTextAsync("m1", "s1", "hello");
        await side.EventsAsync("m1");
        Assert.Equal("instaclaw:Shop:s1", Assert.Single(lab.Runs.Started).Message!.SessionKey);
        Assert.Equal("unregistered", (string)(await lab.CallAsync("instaclaw.registration.get", new JsonObject { ["accountId"] = "Desk" }))["status"]!);
        Assert.Equal(ErrorCodes.InvalidRequest, (await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("instaclaw.registration.get", []))).Code);
        foreach (var unknown in new[] { "Off", "../x" })
        {
            var fault = await Assert.ThrowsAsync<BridgeException>(() => lab.CallAsync("instaclaw.registration.get", new JsonObject { ["accountId"] = unknown }));
            Assert.Equal(ErrorCodes.NotFound, fault.Code);
        }

        // The agent's conversation says which account it is about.
        Assert.Equal("Shop", (string)(await lab.ToolAsync("insta_get_plugin_profile", [], "agent:main:instaclaw:Shop:s1"))["accountId"]!);
    }

    /// <summary>A model that calls the tool and leaves it to the host.</summary>
    private static Task ProposeAsync(FakeRun run)
    {
        run.Machine.OpenCall("call_1", "insta_propose_registration");
        run.Machine.AppendArguments("""{"name":"Scribe","description":"I write.","scene_tags":["writing"]}""");
        run.Machine.CloseItem();
        return Task.CompletedTask;
    }

    private static async Task<JsonObject> UntilStatusAsync(ChannelLab lab, string status)
    {
        using var timeout = new CancellationTokenSource(ChannelLab.Patience);
        while (true)
        {
            var state = await lab.CallAsync("instaclaw.registration.get", []);
            if ((string)state["status"]! == status) return state;
            await Task.Delay(10, timeout.Token);
        }
    }
}
