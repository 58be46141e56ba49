using System.Text;
using System.Text.Json;
using ChannelBridge.A2A;
using FsCheck;
using FsCheck.Fluent;

namespace ChannelBridge.Tests.Unit.A2A;

/// <summary>What one version writes and reads is what the other one says: there and back, whatever the record.</summary>
public sealed class ConverterTests
{
    private static readonly Config Quick = Config.QuickThrowOnFailure.WithMaxTest(300);

    [Fact]
    public void Tasks_ThereAndBack_AreTheSame() => ThereAndBack(Records.Task, static dialect => dialect.Task);

    [Fact]
    public void Events_ThereAndBack_AreTheSame() => ThereAndBack(Records.Item, static dialect => dialect.Item);

    [Fact]
    public void Sends_ThereAndBack_AreTheSame() => ThereAndBack(Records.Send, static dialect => dialect.Send);

    [Fact]
    public void WhatVersion03Writes_ComesBackThrough10_AsItWas()
    {
        Check.One(Quick, Prop.ForAll(Records.Task.ToArbitrary(), task =>
        {
            var old = A2ADialect.V03.Task.ToBytes(task);
            var current = A2ADialect.V10.Task.ToBytes(A2ADialect.V03.Task.Read(old));
            return A2ADialect.V03.Task.ToBytes(A2ADialect.V10.Task.Read(current)).AsSpan().SequenceEqual(old);
        }));
    }

    [Fact]
    public void ATask_IsSpelledAsEachVersionSpellsIt()
    {
        var task = new A2ATask
        {
            Id = "t",
            ContextId = "c",
            Status = new A2ATaskStatus { State = TaskState.Canceled, Timestamp = DateTimeOffset.Parse("2026-03-01T10:00:00.5+02:00") },
            Artifacts =
                [new A2AArtifact { ArtifactId = "a", Parts = [new A2APart { Raw = [116], Filename = "n", MediaType = "text/plain" }] }],
            History = [new A2AMessage { MessageId = "m", Role = MessageRole.User, Parts = [A2APart.OfText("hi")] }],
        };

        Assert.Equal(
            """{"id":"t","contextId":"c","status":{"state":"TASK_STATE_CANCELED","timestamp":"2026-03-01T08:00:00.500Z"},"artifacts":[{"artifactId":"a","parts":[{"raw":"dA==","filename":"n","mediaType":"text/plain"}]}],"history":[{"messageId":"m","role":"ROLE_USER","parts":[{"text":"hi"}]}]}""",
            Records.Text(A2ADialect.V10.Task, task));
        Same(
            """{"kind":"task","id":"t","contextId":"c","status":{"state":"canceled","timestamp":"2026-03-01T08:00:00.500Z"},"artifacts":[{"artifactId":"a","parts":[{"kind":"file","file":{"bytes":"dA==","mimeType":"text/plain","name":"n"}}]}],"history":[{"kind":"message","messageId":"m","role":"user","parts":[{"kind":"text","text":"hi"}]}]}""",
            Records.Text(A2ADialect.V03.Task, task));
        Same(
            """{"id":"t","contextId":"c","status":{"state":"TASK_STATE_CANCELLED","timestamp":"2026-03-01T08:00:00.500Z"},"artifacts":[{"artifactId":"a","parts":[{"file":{"fileWithBytes":"dA==","mimeType":"text/plain","name":"n"}}]}],"history":[{"messageId":"m","role":"ROLE_USER","content":[{"text":"hi"}]}]}""",
            Records.Text(A2ADialect.V03Rest.Task, task));
    }

    [Theory]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":1}]}}""", "message.parts[0].text")]
    [InlineData("""{"message":{"role":"ROLE_USER","parts":[{"text":"x"}]}}""", "message.messageId")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[null]}}""", "message.parts[0]")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[{}]}}""", "message.parts[0]")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x","url":"y"}]}}""", "message.parts[0]")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[]}}""", "message.parts")]
    [InlineData("""{"message":{"messageId":"m","role":"NOBODY","parts":[{"text":"x"}]}}""", "message.role")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"raw":"n*o"}]}}""", "message.parts[0].raw")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","metadata":[],"parts":[{"text":"x"}]}}""", "message.metadata")]
    [InlineData("""{"message":null}""", "message")]
    [InlineData("""{}""", "message.messageId")]
    [InlineData("""{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"x"}]},"configuration":{"historyLength":-1}}""", "configuration.historyLength")]
    public void ASendOf10_ThatIsWrong_NamesTheMember(string json, string member) => Names(A2ADialect.V10.Send, json, member);

    [Theory]
    [InlineData("""{"message":{"messageId":"m","role":"user","parts":[{"kind":"text"}]}}""", "message.parts[0]")]
    [InlineData("""{"message":{"messageId":"m","role":"user","parts":[{"kind":"film"}]}}""", "message.parts[0]")]
    [InlineData("""{"message":{"messageId":"m","role":"boss","parts":[{"kind":"text","text":"x"}]}}""", "message.role")]
    [InlineData("""{"message":{"messageId":7,"role":"user","parts":[]}}""", "message.messageId")]
    [InlineData("""{}""", "message")]
    public void ASendOf03_ThatIsWrong_NamesTheMember(string json, string member) => Names(A2ADialect.V03.Send, json, member);

    [Fact]
    public void ACard_ServesBothVersions_AndIsReadFromEitherShape()
    {
        var card = new AgentCard
        {
            Name = "n",
            Description = "d",
            Version = "1",
            SupportedInterfaces =
            [
                new AgentInterface { Url = "https://a/a2a", ProtocolBinding = Bindings.JsonRpc, ProtocolVersion = "1.0" },
                new AgentInterface { Url = "https://a/a2a", ProtocolBinding = Bindings.JsonRpc, ProtocolVersion = "0.3" },
            ],
            Capabilities = new AgentCapabilities { Streaming = true, ExtendedAgentCard = true },
            SecuritySchemes = new Dictionary<string, SecurityScheme>
            {
                ["bearer"] = new() { HttpAuthSecurityScheme = new HttpAuthScheme { Scheme = "bearer" } },
            },
            SecurityRequirements =
                [new SecurityRequirement { Schemes = new Dictionary<string, ScopeList> { ["bearer"] = new() { List = [] } } }],
            DefaultInputModes = ["text/plain"],
            DefaultOutputModes = ["text/plain"],
            Skills = [new AgentSkill { Id = "s", Name = "s", Description = "s", Tags = ["t"] }],
        };

        using var both = JsonDocument.Parse(A2ADialect.V03.Card.ToBytes(card));
        Assert.Equal("https://a/a2a", both.RootElement.GetProperty("url").GetString());
        Assert.Equal("JSONRPC", both.RootElement.GetProperty("preferredTransport").GetString());
        Assert.Equal(2, both.RootElement.GetProperty("supportedInterfaces").GetArrayLength());
        Assert.Equal("http", both.RootElement.GetProperty("securitySchemes").GetProperty("bearer").GetProperty("type").GetString());
        var text = Records.Text(A2ADialect.V10.Card, card);
        Assert.Equal(text, Records.Text(A2ADialect.V10.Card, A2ADialect.V03.Card.Read(A2ADialect.V03.Card.ToBytes(card))));
        Assert.Equal(text, Records.Text(A2ADialect.V10.Card, A2ADialect.V10.Card.Read(A2ADialect.V10.Card.ToBytes(card))));
    }

    [Fact]
    public void ACardOfVersion02_IsReadAs03()
    {
        var card = A2ADialect.V10.Card.Read("""{"name":"m","protocolVersion":"0.2.2","url":"http://h:3100","capabilities":{"streaming":false},"skills":[]}"""u8);

        var place = Assert.Single(card.SupportedInterfaces);
        Assert.Equal(("http://h:3100", Bindings.JsonRpc, "0.3"), (place.Url, place.ProtocolBinding, place.ProtocolVersion));
    }

    [Theory]
    [InlineData(null, "0.3")]
    [InlineData("", "0.3")]
    [InlineData("0.3", "0.3")]
    [InlineData("0.3.0", "0.3")]
    [InlineData("0.2.2", "0.3")]
    [InlineData("1.0", "1.0")]
    [InlineData("1.0.1", "1.0")]
    [InlineData("1", "1.0")]
    [InlineData("2.1", "2.1")]
    public void Versions_AreComparedByTheirFirstTwoNumbers(string? version, string expected) =>
        Assert.Equal(expected, Versions.Normalise(version));

    private static void ThereAndBack<T>(Gen<T> records, Func<A2ADialect, A2ACodec<T>> codec)
        where T : class
    {
        foreach (var dialect in new[] { A2ADialect.V10, A2ADialect.V03 })
        {
            Check.One(Quick, Prop.ForAll(records.ToArbitrary(), record =>
                Records.Text(
                    codec(A2ADialect.V10), codec(dialect).Read(codec(dialect).ToBytes(record))) == Records.Text(codec(A2ADialect.V10), record)));
        }

        // 0.3 over plain HTTP has no place for references to other tasks, and none for what is empty.
        Check.One(Quick, Prop.ForAll(records.ToArbitrary(), record =>
        {
            var rest = codec(A2ADialect.V03Rest);
            var once = rest.ToBytes(rest.Read(rest.ToBytes(record)));
            return once.AsSpan().SequenceEqual(rest.ToBytes(rest.Read(once)));
        }));
    }

    private static void Names<T>(A2ACodec<T> codec, string json, string member)
        where T : class
    {
        var fault = Assert.Throws<JsonException>(() => codec.Read(Encoding.UTF8.GetBytes(json)));
        Assert.Equal(member, fault.Path?.Replace("$.", "", StringComparison.Ordinal));
    }

    private static void Same(string expected, string actual) => Assert.True(
        JsonElement.DeepEquals(Records.Json(expected), Records.Json(actual)), actual);
}
